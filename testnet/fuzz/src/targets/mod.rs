//! The targets, one line each.

mod backup;
mod certificates;
mod enrolment;
mod http;
mod import;
mod indicator;
mod peer;
mod statement;
mod texts;
mod twin;
mod wire;

/// Something to feed with bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is also that of its folder of inputs.
    pub name: &'static str,
    /// What it reads.
    pub what: &'static str,
    /// Reads the bytes; panics if something does not hold.
    pub run: fn(&[u8]),
    /// Inputs that the program's own encoders make.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words that a mutation may put in, besides numbers.
    pub words: &'static [&'static str],
}

impl Target {
    /// The target of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }
}

macro_rules! targets {
    ($($name:literal $run:path, $seeds:path, [$($word:literal),*], $what:literal;)+) => {
        /// Every target.
        pub const TARGETS: &[Target] = &[$(Target {
            name: $name,
            what: $what,
            run: $run,
            seeds: $seeds,
            words: &[$($word),*],
        }),+];
    };
}

targets! {
    "frame" wire::frame, wire::frame_seeds, [], "a frame of the wire";
    "hello" wire::hello, wire::hello_seeds, [], "a hello and its answer";
    "report" wire::report, wire::report_seeds, [], "reports, what flows down, and the answers";
    "home" wire::home, wire::home_seeds, [], "messages between the nodes of a home";
    "questions" wire::questions, wire::question_seeds, ["reeve-invite-1."],
        "questions about a ledger, and the line of an invite";
    "enrolment" enrolment::desk, enrolment::desk_seeds, [],
        "messages to the enrolment desk, with and without an invite";
    "statement" statement::statement, statement::statement_seeds, [],
        "a signed statement, up to its verification";
    "payload" statement::payload_of_statement, statement::payload_seeds, [],
        "what a statement says, signed by somebody who may";
    "chunks" statement::chunks, statement::chunk_seeds, [],
        "tables, manifests, and the chunks in which they travel";
    "ledger" statement::ledger, statement::ledger_seeds, ["\n\n\u{2014} ", "\n"],
        "checkpoints, receipts, proofs of inclusion and consistency";
    "chain" certificates::chain, certificates::chain_seeds, ["-----BEGIN CERTIFICATE-----\n"],
        "certificates and chains, up to their verification";
    "lists" certificates::lists, certificates::list_seeds, ["-----BEGIN X509 CRL-----\n"],
        "revocation lists, root lists, applications for certificates";
    "key-file" certificates::key_file, certificates::key_file_seeds,
        ["-----BEGIN ENCRYPTED PRIVATE KEY-----\n"], "key files";
    "change" twin::change, twin::change_seeds, ["case", "team"],
        "signed changes of records and proofs of forks, also by an insider";
    "cache" twin::cache, twin::cache_seeds, ["case", "team"], "stored shards";
    "record" twin::record, twin::record_seeds, ["status", "confirmed", "seen_at", "null", "1e9"],
        "records in CBOR, in JSON, and in batches";
    "schema" texts::schema_text, texts::schema_seeds,
        ["[kind.", "field.", "type = ", "values = ", "retention", "merge = \"field\"", "required"],
        "schemas";
    "catalogue" texts::catalogue_text, texts::catalogue_seeds,
        ["[indicator.", "where = ", "group_by", "bands", "latest-sum(", "floor", "cut_off", "not = "],
        "catalogues";
    "mapping" texts::mapping, texts::mapping_seeds,
        ["[file]", "[only]", "[closes]", "[unit]", "[snapshot]", "format = ", "%Y-%m-%d", "constant"],
        "mappings of an import";
    "config" texts::config, texts::config_seeds,
        ["[net]", "[http]", "[[superior]]", "[[token]]", "listen = ", "\\u0000", "''"],
        "configurations and files of tokens";
    "policy" texts::policy, texts::policy_seeds,
        ["permit (", "forbid (", "principal", "resource", "context.", "when { ", "unless { ", "@id(",
         "@min_cell(\"5\")", "like \"*\"", "is Unit", "&&", "||", "9223372036854775807"],
        "policies";
    "names" texts::names, texts::name_seeds, ["/p2p/", "-W", "T24:00:00Z", "~", "/", "+24:00"],
        "unit ids, periods, times, areas, addresses";
    "file" import::file, import::file_seeds,
        ["\"\"", "\r\n", "{\"id\":", "\\u0000", "<<<<<<< ", "\u{feff}"], "files of an import";
    "http" http::requests, http::request_seeds,
        ["TOKEN", "\r\n", "Host: ", "Content-Length: ", "Transfer-Encoding: chunked", "%2f", "GET /v1/",
         "Origin: http://127.0.0.1:7400", "HTTP/1.0"],
        "requests to the local API";
    "backup" backup::backup, backup::backup_seeds, ["reeve.toml", "../", "keys/", "store/"],
        "backup files, up to a restored folder";
    "page" indicator::page, indicator::page_seeds, [], "stored pages of indicators";
    "indicator" indicator::operations, indicator::operation_seeds, [],
        "sequences of operations on indicators, held against a recount";
    "peer" peer::operations, peer::operation_seeds, [],
        "sequences of operations on a node by peers above, below and at home";
}

/// The input as text, if it is one.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
