//! The table of routes: what is mounted is exactly what is listed.

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, patch, post, put};

use super::service::Service;
use super::{
    bulletins, decisions, figures, house, imports, letters, metrics, open, records, register,
    situation, tiles, twin,
};

/// Who may call a route at all; the policy decides the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody on this machine; it shows no data.
    Open,
    /// Anybody, if the ledger is open (`[http] ledger`); else it is not there.
    Ledger,
    /// Whoever shows a token.
    Token,
}

/// One route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Who may call it.
    pub access: Access,
    /// The method, in lower case.
    pub method: &'static str,
    /// The path; names in braces are parameters.
    pub path: &'static str,
    /// What it is for.
    pub what: &'static str,
}

macro_rules! routes {
    ($($access:ident $method:ident $path:literal $handler:path, $what:literal;)+) => {
        /// Every route there is.
        pub const ROUTES: &[Route] = &[$(Route {
            access: Access::$access,
            method: stringify!($method),
            path: $path,
            what: $what,
        }),+];

        /// Mounts them.
        pub(super) fn mount(router: Router<Arc<Service>>) -> Router<Arc<Service>> {
            router$(.route($path, $method($handler)))+
        }
    };
}

routes! {
    Open get "/health" open::health, "Whether the program runs";
    Open get "/ready" open::ready, "Whether the node serves";
    Ledger get "/ledger/{term}/checkpoint" tiles::checkpoint, "The newest checkpoint (C2SP), if `[http] ledger` is on";
    Ledger get "/ledger/signer" tiles::signer, "By whose key the ledger is signed, and revocation lists, if `[http] ledger` is on";
    Ledger get "/ledger/{term}/checkpoint/{size}" tiles::checkpoint_at, "The ledger as it was with so many entries, signed, if `[http] ledger` is on";
    Ledger post "/ledger/{term}/cosignatures" tiles::cosign, "Take an auditor's cosignature, if `[http] ledger` is on";
    Ledger get "/ledger/{term}/tile/{*tile}" tiles::tile, "A tile of the ledger (C2SP tlog-tiles), if `[http] ledger` is on";
    Token get "/metrics" metrics::metrics, "Counters and gauges for Prometheus";
    Token get "/v1/status" house::status, "Who is connected, what is late, how the store fares";
    Token get "/v1/schema" house::schema, "The schema, in TOML";
    Token get "/v1/register" register::register, "The register of subordinates";
    Token patch "/v1/register/{unit}" register::change, "Change a subordinate's names, population or time zone";
    Token post "/v1/register" register::act, "Merge, split, rename, move, receive or end subordinates";
    Token put "/v1/calendar" register::set_calendar_of_all, "Say when all subordinates work";
    Token put "/v1/calendar/{unit}" register::set_calendar, "Say when a subordinate works";
    Token get "/v1/catalogue" house::catalogue, "The catalogue, in JSON or CBOR by Accept";
    Token post "/v1/catalogue" house::publish, "Take a signed catalogue";
    Token post "/v1/declarations" house::declare, "Take a signed declaration";
    Token get "/v1/bulletins" bulletins::list, "What was published as bulletins, the newest first: ?term=&before=&limit=";
    Token post "/v1/bulletins" bulletins::publish, "Freeze figures as they stand in a signed bulletin";
    Token get "/v1/bulletins/{digest}" bulletins::show, "A bulletin: its figures as frozen, and as they stand now";
    Token get "/v1/policy" house::policy, "The policy set in force, in Cedar";
    Token put "/v1/policy" house::set_policy, "Replace the policy set";
    Token get "/v1/policies/{digest}" decisions::policy_set, "A policy set that decided here, or the schema that it was read under";
    Token get "/v1/asked/{digest}" decisions::asked, "What the policy was asked about a figure that was told, in Cedar's JSON";
    Token get "/v1/adoptions" house::adoptions, "What the catalogue proposes, what was adopted, and changes of the policy";
    Token post "/v1/adoptions" house::adopt, "Adopt an indicator, or all of a legal basis";
    Token get "/v1/figures/{indicator}" figures::figure, "A figure: ?period=&area=, or &own=true: the own table as it is";
    Token get "/v1/situation" situation::situation, "Every indicator at a glance, trouble first: ?day=";
    Token get "/v1/indicators/{indicator}/periods" figures::periods, "Which periods have figures";
    Token get "/v1/records/{kind}" records::list, "Records of one shard: ?shard=";
    Token post "/v1/records/{kind}" records::write, "Put, delete or set up to 1,000 records";
    Token get "/v1/records/{kind}/{id}" records::read, "One record";
    Token put "/v1/records/{kind}/{id}" records::put, "Insert or replace one record";
    Token patch "/v1/records/{kind}/{id}" records::patch, "Set fields of one record (RFC 7396)";
    Token delete "/v1/records/{kind}/{id}" records::delete, "Delete one record";
    Token post "/v1/imports" imports::begin, "Begin an import";
    Token post "/v1/imports/{import}/batch" imports::batch, "Up to 1,000 of its records: ?kind=";
    Token post "/v1/imports/{import}/end" imports::end, "End it: close periods, delete what is missing; ?kind=";
    Token post "/v1/close" imports::close, "Close periods without records: a nil report";
    Token post "/v1/twin/expire" twin::expire, "Remove the records that are older than they may be kept";
    Token post "/v1/twin/erase" twin::erase, "Remove one record, out of every node of the home";
    Token get "/v1/sent" house::sent, "What left the house, the newest first: ?before=&limit=";
    Token get "/v1/statements/{digest}" house::statement, "A statement, as signed";
    Token get "/v1/chunks/{digest}" house::chunk, "A chunk of a statement";
    Token get "/v1/evidence" house::evidence, "What an auditor needs besides statements: catalogue and revocation lists";
    Token get "/v1/ledger/checkpoint" house::checkpoint, "The newest ledger checkpoint";
    Token get "/v1/ledger/proof" house::proof, "That a statement is in the ledger: ?index=&size=";
    Token get "/v1/ledger/cosigned" house::cosigned, "A checkpoint that a witness has cosigned: the newest, or ?after=";
    Token get "/v1/ledger/equivocations" house::equivocations, "Proofs that subordinates keep two ledgers";
    Token get "/v1/issued" house::issued, "Certificates that the authority issued: ?from=&limit=";
    Token post "/v1/lists" house::take_list, "Take a revocation list";
    Token post "/v1/members" house::admit, "Admit a node";
    Token put "/v1/certificate" house::renew, "Replace this node's certificates";
    Token post "/v1/invites" house::invite, "Make an invite";
    Token post "/v1/admissions" letters::admission, "Admit a unit that applies by file";
    Token post "/v1/letters/freshen" letters::freshen, "Cut anew what changed since it was cut and never told";
    Token get "/v1/letters" letters::write, "Write a letter to another unit: ?to=&after=";
    Token post "/v1/letters" letters::take, "Take a letter";
    Token get "/v1/image" house::image, "An image of the store, for a backup; who asks proves that the folder is theirs";
}
