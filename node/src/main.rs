//! The reeve command.

fn main() -> std::process::ExitCode {
    reeve::cli::main(std::env::args_os())
}
