//! The `reeve` command: the tree of commands, and what all of them share.
//!
//! Each command has a file of its own with its arguments (`Arguments`) and a function `run`. Commands
//! that ask a running node go through [`crate::client`]; only `run` starts one, only `verify`
//! and `backup` open (a copy of) a store, and nothing here talks to a peer. What is shown goes through [`Output`], what fails is a [`CommandError`] with its [`Exit`]
//! code.

pub mod admit;
mod adopt;
mod asking;
mod audit;
mod audit_decision;
mod audit_report;
mod audit_watch;
mod authority;
mod backup;
mod bulletin;
mod catalogue;
pub mod certificate;
mod compare;
mod completions;
mod declare;
mod editions;
mod error;
mod files;
mod help;
mod history;
mod identity;
#[cfg(test)]
mod identity_tests;
mod import;
mod init;
pub mod invite;
mod join;
mod layout;
mod ledger;
mod man;
mod output;
mod policy;
pub mod proof;
mod query;
mod record;
mod register;
mod rekey;
mod report;
mod request;
mod restore;
mod run;
mod running;
mod schema;
mod sent;
mod situation;
mod status;
#[cfg(test)]
mod tests;
mod texts;
mod threshold;
mod token;
mod twin;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use asking::OwnNode;
pub use error::{CommandError, Exit};
pub use output::{Output, Style, plain, table};
pub use running::{NotDone, RunningNode};
pub use texts::Locale;

/// What every command is told.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The node's folder
    #[arg(
        long,
        global = true,
        env = "REEVE_HOME",
        default_value = ".",
        hide_env_values = true,
        value_name = "FOLDER",
        help_heading = "Global options"
    )]
    pub home: PathBuf,
    /// Print one JSON document instead of text for people
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// When to colour: auto is on a terminal only
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = Colour::Auto,
        value_name = "WHEN",
        help_heading = "Global options"
    )]
    pub color: Colour,
    /// Language of titles and messages, such as en, zh, it, de; else that of the locale
    #[arg(
        long,
        global = true,
        env = "REEVE_LANG",
        hide_env_values = true,
        value_parser = texts::locale,
        value_name = "LANGUAGE",
        help_heading = "Global options"
    )]
    pub lang: Option<Locale>,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "reeve",
    version,
    about = "Keep a jurisdiction's records at home, and account upward in signed figures",
    help_template = "{about}\n\nUsage: reeve [OPTIONS] COMMAND\n\n{before-help}{options}\n\n{after-help}",
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What every command is told.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do. The groups of the help text are in `help::GROUPS`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the folder of a new node: keys, configuration, policy
    Init(Box<init::Arguments>),
    /// Join a federation, or a home, with an invite
    Join(join::Arguments),
    /// Apply for admission by file, without a line to the superior
    Request(request::Arguments),
    /// Admit a unit that applies by file
    Admit(AdmitArguments),
    /// Run the node
    Run(run::Arguments),
    /// Import a file of records, CSV or NDJSON
    Import(Box<import::Arguments>),
    /// Show, write or delete single records; close periods
    Record(record::Arguments),
    /// Remove records for good: those that are too old, or one
    Twin(twin::Arguments),
    /// Show the schema, or check a schema file
    Schema(schema::Arguments),
    /// Show every indicator at a glance, trouble first
    Situation(situation::Arguments),
    /// Show a figure: rows, total with bounds, completeness
    Query(query::Arguments),
    /// Show the indicators; check or publish a catalogue
    Catalogue(catalogue::Arguments),
    /// Check the store of a stopped node
    Verify(verify::Arguments),
    /// Back up a whole node into a file, while it runs or not
    Backup(backup::Arguments),
    /// Restore a node's folder from a backup
    Restore(restore::Arguments),
    /// Carry reports and their answers by file, without a line
    Report(report::Arguments),
    /// Show how the node fares: who is connected, what is late
    Status(status::Arguments),
    /// List everything that left the house, and under which decision
    Sent(sent::Arguments),
    /// List the editions of a figure, and why each revised the one before
    History(history::Arguments),
    /// Put everything that shows a figure to be what was signed into a folder
    Proof(proof::Arguments),
    /// Check proof bundles offline, follow and cosign ledgers, as an auditor
    Audit(audit::Arguments),
    /// Check, explain, preview or replace the policy; adopt what a catalogue proposes
    Policy(policy::Arguments),
    /// Declare an emergency response level for an area, or end it
    Declare(Box<declare::Arguments>),
    /// Publish figures frozen as they stand; show what was published
    Bulletin(bulletin::Arguments),
    /// Show the ledger's head, or prove an entry
    Ledger(ledger::Arguments),
    /// Show the register of subordinates; enter names and populations
    Register(register::Arguments),
    /// Make an invite for a subordinate unit or a further node
    Invite(InviteArguments),
    /// Show, revoke or renew certificates
    Certificate(CertificateArguments),
    /// Change the authority key, split it into shares, carry it to another node
    Authority(AuthorityArguments),
    /// Make, list or revoke access tokens of the local API
    Token(token::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
    /// Write manual pages into a folder
    Man(man::Arguments),
}

/// The arguments of `reeve invite`, and which node makes it.
#[derive(Debug, Args)]
pub struct InviteArguments {
    #[command(flatten)]
    invite: invite::Arguments,
    #[command(flatten)]
    node: asking::Node,
}

/// The arguments of `reeve admit`, and which node admits.
#[derive(Debug, Args)]
pub struct AdmitArguments {
    #[command(flatten)]
    admit: admit::Arguments,
    #[command(flatten)]
    node: asking::Node,
}

/// The arguments of `reeve certificate`, and which node is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  reeve certificate show
  reeve certificate revoke 016 --reason key-compromise
  reeve certificate renew")]
pub struct CertificateArguments {
    #[command(flatten)]
    certificate: certificate::Arguments,
    #[command(flatten)]
    node: asking::Node,
}

/// The arguments of `reeve authority`, and which node is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  reeve authority rekey /media/stick/016.rekey
  reeve authority split --shares 5 --needed 3 --into /media/safe
  reeve authority export /media/stick/authority.papers")]
pub struct AuthorityArguments {
    #[command(flatten)]
    authority: authority::Arguments,
    #[command(flatten)]
    node: asking::Node,
}

impl Command {
    fn run(self, global: &Global, output: &Output) -> Result<(), CommandError> {
        match self {
            Self::Init(arguments) => init::run(&arguments, global, output),
            Self::Join(arguments) => join::run(&arguments, global, output),
            Self::Request(arguments) => request::run(&arguments, global, output),
            Self::Admit(arguments) => {
                let node = OwnNode { node: &arguments.node, global };
                admit::run(&arguments.admit, output, &node)
            }
            Self::Run(arguments) => run::run(&arguments, global, output),
            Self::Import(arguments) => import::run(&arguments, global, output),
            Self::Record(arguments) => record::run(&arguments, global, output),
            Self::Twin(arguments) => twin::run(&arguments, global, output),
            Self::Schema(arguments) => schema::run(&arguments, global, output),
            Self::Situation(arguments) => situation::run(&arguments, global, output),
            Self::Query(arguments) => query::run(&arguments, global, output),
            Self::Catalogue(arguments) => catalogue::run(&arguments, global, output),
            Self::Verify(arguments) => verify::run(&arguments, global, output),
            Self::Backup(arguments) => backup::run(&arguments, global, output),
            Self::Restore(arguments) => restore::run(&arguments, global, output),
            Self::Report(arguments) => report::run(&arguments, global, output),
            Self::Status(arguments) => status::run(&arguments, global, output),
            Self::Sent(arguments) => sent::run(&arguments, global, output),
            Self::History(arguments) => history::run(&arguments, global, output),
            Self::Proof(arguments) => proof::run(&arguments, global, output),
            Self::Audit(arguments) => audit::run(&arguments, global, output),
            Self::Declare(arguments) => declare::run(&arguments, global, output),
            Self::Bulletin(arguments) => bulletin::run(&arguments, global, output),
            Self::Policy(arguments) => policy::run(&arguments, global, output),
            Self::Ledger(arguments) => ledger::run(&arguments, global, output),
            Self::Register(arguments) => register::run(&arguments, global, output),
            Self::Invite(arguments) => {
                let node = OwnNode { node: &arguments.node, global };
                invite::run(&arguments.invite, output, &node)
            }
            Self::Certificate(arguments) => {
                let node = OwnNode { node: &arguments.node, global };
                certificate::run(&arguments.certificate, global, output, &node)
            }
            Self::Authority(arguments) => {
                let node = OwnNode { node: &arguments.node, global };
                authority::run(&arguments.authority, global, output, &node)
            }
            Self::Token(arguments) => token::run(&arguments, global, output),
            Self::Completions(arguments) => completions::run(&arguments, output),
            Self::Man(arguments) => man::run(&arguments, output),
        }
    }
}

/// The command as clap knows it, with the grouped help.
#[must_use]
pub fn command() -> clap::Command {
    help::dress(Cli::command())
}

/// The language that the configuration of a node's folder prefers; none: there is no configuration.
fn house_language(home: &std::path::Path) -> Option<String> {
    let path = home.join(crate::house::CONFIG_FILE);
    let text = std::fs::read_to_string(&path).ok()?;
    let config = crate::config::Config::parse(&path.to_string_lossy(), &text).ok()?;
    config.languages.into_iter().next()
}

/// Reads the arguments, runs the command, and says how it went.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parsed = command().try_get_matches_from(arguments);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to be told when the terminal is gone.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    let locale = Locale::chosen(cli.global.lang.as_ref(), || house_language(&cli.global.home));
    let output = Output::new(cli.global.json, cli.global.color, locale);
    match cli.command.run(&cli.global, &output) {
        Ok(()) => Exit::Done.into(),
        Err(error) => {
            output.failure(&error);
            error.exit().into()
        }
    }
}
