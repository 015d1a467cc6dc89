//! `reeve init`: the folder of a new node.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use reeve_statement::cert::Domain;
use reeve_statement::unit::UnitId;
use serde_json::json;

use super::identity::{PassphraseArguments, failed, now};
use super::{CommandError, Global, Output};
use crate::config::{Config, Engine};
use crate::house::{
    Clerk, Entropy, House, Passphrase, UnitSpec, begin, begin_home_node, found_federation,
};

const EXAMPLES: &str = "\
Makes keys, a configuration with a comment for every key, and the default policy. Nothing that is
there is overwritten.

Examples:
  reeve --home /var/lib/reeve init --unit 016 --time-zone Europe/Rome --schema schema.toml
      a unit that joins next, with `reeve join`
  reeve --home /var/lib/reeve init --federation health.example --unit it --level nation
      the first unit of a new federation
  reeve --home /var/lib/reeve-2 init --unit 016 --home-node
      a further node of the unit's home, which has no authority key";

/// What is made.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Id of the unit of government: lower-case letters, digits and hyphens; never reused
    #[arg(long)]
    unit: UnitId,
    /// Found a new federation whose units are named below this domain, with a root key of its own
    #[arg(long, value_name = "DOMAIN", conflicts_with = "home_node")]
    federation: Option<Domain>,
    /// Name of the unit's level, for the first unit of a federation
    #[arg(long, default_value = "nation", requires = "federation")]
    level: String,
    /// Make a further node of the unit's home, without an authority key
    #[arg(long, conflicts_with = "passphrase_file")]
    home_node: bool,
    /// Time zone of the unit (IANA name)
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
    /// Language of titles; may be given several times, the preferred first
    #[arg(long = "language", value_name = "LANGUAGE")]
    languages: Vec<String>,
    /// Copy the schema of the unit's records from a file; without one the node keeps no records
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Copy the policy from a file, instead of the default one
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Adopt what a catalogue proposes under this legal basis without being asked; "*" is everything;
    /// may be given several times
    #[arg(long = "accept-legal-basis", value_name = "BASIS")]
    accepted_legal_bases: Vec<String>,
    /// Listen for peers on this multiaddress; may be given several times
    #[arg(long = "listen", value_name = "ADDRESS")]
    listen: Vec<String>,
    /// Listen for newcomers on this multiaddress; may be given several times
    #[arg(long = "enrolment", value_name = "ADDRESS")]
    enrolment: Vec<String>,
    /// Where the local HTTP API listens
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// Allow to dial peers on loopback, link-local and private addresses
    #[arg(long)]
    allow_private_addresses: bool,
    /// Keep the state in this store
    #[arg(long, value_parser = ["redb", "sled"], default_value = "redb")]
    store: String,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

/// Makes the folder.
pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let spec = arguments.spec()?;
    let mut entropy = Entropy::system();
    let mut clerk = Clerk::new(now(), &mut entropy);
    let folder = &global.home;
    let house = match &arguments.federation {
        Some(domain) => found_federation(folder, domain, &spec, &mut clerk).map(|(house, _)| house),
        None if arguments.home_node => begin_home_node(folder, &spec, &mut clerk),
        None => begin(folder, &spec, &mut clerk),
    };
    tell(&house.map_err(failed)?, output)
}

impl Arguments {
    fn spec(&self) -> Result<UnitSpec, CommandError> {
        let config = self.config()?;
        let passphrase =
            if self.home_node { Passphrase::new("") } else { self.passphrase.choose()? };
        let mut spec = UnitSpec::new(self.unit.clone(), &self.level, passphrase);
        spec.schema = self.schema.as_deref().map(read).transpose()?;
        spec.policy = self.policy.as_deref().map(read).transpose()?;
        spec.config = config;
        Ok(spec)
    }

    /// The configuration, held to the rules of the file.
    fn config(&self) -> Result<Config, CommandError> {
        let mut config = Config::new(self.unit.clone());
        config.time_zone.clone_from(&self.time_zone);
        let lists = [
            (&mut config.languages, &self.languages),
            (&mut config.accepted_legal_bases, &self.accepted_legal_bases),
            (&mut config.net.listen, &self.listen),
            (&mut config.net.enrolment, &self.enrolment),
        ];
        for (place, given) in lists {
            if !given.is_empty() {
                place.clone_from(given);
            }
        }
        config.net.allow_private_addresses = self.allow_private_addresses;
        config.http.listen = self.http.unwrap_or(config.http.listen);
        config.store = if self.store == "sled" { Engine::Sled } else { Engine::Redb };
        Config::parse("the new reeve.toml", &config.to_toml())
            .map_err(|problems| CommandError::Usage(problems.to_string()))
    }
}

fn read(path: &Path) -> Result<String, CommandError> {
    std::fs::read_to_string(path).map_err(|reason| CommandError::File {
        doing: "cannot read",
        path: path.to_owned(),
        reason,
    })
}

fn tell(house: &House, output: &Output) -> Result<(), CommandError> {
    let folder = house.folder().display().to_string();
    let unit = house.config().unit.to_string();
    let federation = house.identity().ok().map(|it| it.roots.federation().to_string());
    let document = json!({
        "folder": folder,
        "unit": unit,
        "node_key": house.node_key().public().to_string(),
        "federation": federation,
    });
    output.show(&document, || match &federation {
        Some(federation) => format!(
            "The federation is founded, and {folder} is the node of its first unit, {unit}.\n\
             Federation id, to be compared by those who join: {federation}\n\n\
             Next:\n  \
             - move {folder}/keys/root.key to a place that is not on this machine\n  \
             - read {folder}/reeve.toml, above all its [net] section\n  \
             - start the node with `reeve run`, and invite units with `reeve invite`"
        ),
        None => format!(
            "{folder} is the folder of a new node of unit {unit}.\n\n\
             Next:\n  \
             - read {folder}/reeve.toml\n  \
             - join with `reeve join INVITE`, and start the node with `reeve run`\n  \
             - look at what the catalogue proposes with `reeve policy adopted`: nothing is sent \
             before you adopt it"
        ),
    })
}
