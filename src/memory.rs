//! How much memory this process has in use, and how much it may.

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// The memory of a process, bytes. What the system does not tell is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident in memory at the moment.
    pub resident: Option<u64>,
    /// The limit: of the control group, else of the machine.
    pub limit: Option<u64>,
}

/// The memory of this process. Reads some small files of the system.
#[must_use]
pub fn of_this_process() -> Memory {
    let Ok(mut system) = System::new() else { return Memory::default() };
    system.refresh_memory();
    let pid = Pid::from_u32(std::process::id());
    let kind = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, kind);
    let total = Some(system.total_memory()).filter(|total| *total > 0);
    let group = system.cgroup_limits().map(|limits| limits.total_memory).filter(|limit| *limit > 0);
    Memory {
        resident: system.process(pid).map(sysinfo::Process::memory).filter(|resident| *resident > 0),
        limit: match (group, total) {
            // Without a limit of its own a group says the machine's, or a number beyond it.
            (Some(group), Some(total)) => Some(group.min(total)),
            (group, total) => group.or(total),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_uses_some_memory_and_less_than_it_may() {
        let memory = of_this_process();
        let (resident, limit) = (memory.resident.unwrap(), memory.limit.unwrap());
        assert!(resident > 1 << 20 && resident < limit, "{memory:?}");
    }
}
