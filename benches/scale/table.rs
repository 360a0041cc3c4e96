//! The results, and whether they hold.

use std::fmt;

use crate::{CONCURRENCY, measure::Phase, objects::Sizes};

/// Of the operator's wall time to the floor's.
const RATIO: f64 = 1.25;

/// MiB at most until all objects are ready.
const PEAK: f64 = 96.0;

/// MiB after an idle minute.
const STEADY: f64 = 64.0;

/// All that was measured.
pub struct Results {
    pub sizes: Sizes,
    /// Before and after the operator.
    pub floors: [Phase; 2],
    /// With the operator's watches.
    pub floor_watched: Phase,
    pub cold: Phase,
    pub idle: Phase,
    pub restart: Phase,
    pub idle_again: Phase,
    pub memory: Memory,
}

/// The operator's memory in MiB.
pub struct Memory {
    pub peak: f64,
    pub steady: f64,
    pub restart_peak: f64,
    pub restart_steady: f64,
}

impl Results {
    /// Whether nothing was written when there was nothing to do. All else depends on the machine.
    pub fn holds(&self) -> bool {
        self.needless().iter().all(|(_, writes)| *writes == 0)
    }

    fn needless(&self) -> [(&'static str, usize); 3] {
        [
            ("writes in an idle minute", self.idle.requests.writes),
            ("writes after a restart", self.restart.requests.writes),
            ("writes in an idle minute after it", self.idle_again.requests.writes),
        ]
    }

    /// To the floor's mean.
    fn ratio(&self, phase: &Phase, of: impl Fn(&Phase) -> f64) -> f64 {
        let [before, after] = &self.floors;
        of(phase) * 2.0 / (of(before) + of(after))
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kinds: Vec<String> = self.sizes.by_kind().iter().map(|(kind, count)| format!("{count} {kind}s")).collect();
        writeln!(f, "\n{} objects: {}; {CONCURRENCY} at a time of each kind\n", self.sizes.total(), kinds.join(", "))?;
        writeln!(f, "{:26}{:>9}{:>33}{:>19}", "", "", "CPU s", "requests")?;
        let (writer, api) = ("writer", "kube-apiserver");
        writeln!(f, "{:26}{:>9}{writer:>11}{api:>16}{:>8}{:>10}{:>7}", "", "wall s", "etcd", "writes", "reads")?;
        for (name, phase) in [
            ("floor: a bare client", &self.floors[0]),
            ("operator, cold start", &self.cold),
            ("floor again", &self.floors[1]),
            ("floor with watches", &self.floor_watched),
            ("operator, idle minute", &self.idle),
            ("operator, restart", &self.restart),
            ("operator, idle minute", &self.idle_again),
        ] {
            let Phase { wall, writer, api_server, etcd, requests } = phase;
            write!(f, "{name:26}{:>9.2}{writer:>11.2}{api_server:>16.2}{etcd:>8.2}", wall.as_secs_f64())?;
            writeln!(f, "{:>10}{:>7}", requests.writes, requests.reads)?;
        }
        writeln!(f)?;
        for (name, phase) in [("cold start / floor", &self.cold), ("with watches / floor", &self.floor_watched)] {
            let wall = self.ratio(phase, |phase| phase.wall.as_secs_f64());
            let (writer, api) = (self.ratio(phase, |phase| phase.writer), self.ratio(phase, |phase| phase.api_server));
            let (etcd, all) = (self.ratio(phase, |phase| phase.etcd), self.ratio(phase, Phase::cpu));
            writeln!(f, "{name:26}{wall:>9.2}{writer:>11.2}{api:>16.2}{etcd:>8.2}   all CPU {all:.2}")?;
        }
        let wall = self.ratio(&self.cold, |phase| phase.wall.as_secs_f64());
        writeln!(f)?;
        goal(f, "wall time / floor", &format!("{wall:.2}"), RATIO, wall <= RATIO, "missed")?;
        let Memory { peak, steady, restart_peak, restart_steady } = self.memory;
        goal(f, "peak memory, MiB", &format!("{peak:.1}"), PEAK, peak <= PEAK, "missed")?;
        goal(f, "steady memory, MiB", &format!("{steady:.1}"), STEADY, steady <= STEADY, "missed")?;
        goal(f, "peak memory, restart", &format!("{restart_peak:.1}"), PEAK, restart_peak <= PEAK, "missed")?;
        goal(f, "steady memory, restart", &format!("{restart_steady:.1}"), STEADY, restart_steady <= STEADY, "missed")?;
        for (name, writes) in self.needless() {
            goal(f, name, &writes.to_string(), 0.0, writes == 0, "FAIL")?;
        }
        Ok(())
    }
}

fn goal(f: &mut fmt::Formatter, what: &str, is: &str, goal: f64, is_met: bool, or: &str) -> fmt::Result {
    let verdict = if is_met { "met" } else { or };
    writeln!(f, "{what:36}{is:>8}   goal <= {goal:<6} {verdict}")
}
