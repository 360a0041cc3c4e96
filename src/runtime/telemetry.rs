//! Logs.

use tracing_subscriber::{
    EnvFilter, filter::LevelFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::flags::LogFormat;

/// Starts logging to standard error.
///
/// # Errors
/// When the level is neither a level nor a filter.
pub fn init(format: LogFormat, level: &str) -> Result<(), String> {
    let filter = filter(level)
        .ok_or_else(|| format!("--log-level must be error, warn, info, debug, trace or a filter, but is '{level}'"))?;
    let registry = tracing_subscriber::registry().with(filter);
    let result = match format {
        LogFormat::Text => registry.with(fmt::layer().with_writer(std::io::stderr).with_ansi(false)).try_init(),
        LogFormat::Json => registry
            .with(fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(std::io::stderr))
            .try_init(),
    };
    result.map_err(|error| error.to_string())
}

/// A filter takes a lone word that is no level for the name of a target, and silences all others: a level with a typo
/// in it would be the end of all logs.
fn filter(level: &str) -> Option<EnvFilter> {
    let is_level = |part: &str| !part.is_empty() && part.parse::<LevelFilter>().is_ok();
    if !level.split(',').map(str::trim).all(|part| part.contains(['=', '[']) || is_level(part)) {
        return None;
    }
    let is_terse = level.parse::<LevelFilter>().is_ok_and(|level| level <= LevelFilter::INFO);
    // What calls and watches fail of is told by our own lines once, not at each attempt.
    let quiet = if is_terse { ",kube_runtime::watcher=off,kube_client::client::builder=off" } else { "" };
    // At warn it writes whole bodies that it can't read, and they can be Secrets.
    EnvFilter::try_new(format!("{level},kube_client::client=error{quiet}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_with_a_typo_is_no_filter() {
        for good in ["info", "WARN", "off", "info,idp_operator=debug", "kube=error, debug"] {
            assert!(filter(good).is_some(), "{good}");
        }
        for wrong in ["", "inf", "info,", "=,", "info,kube=lots"] {
            assert!(filter(wrong).is_none(), "{wrong}");
        }
    }
}
