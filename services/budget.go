package services

// Budget says how the machine is divided between system/ and user/ in the
// cgroup tree: user workloads must not take the system down.
type Budget struct {
	SystemMemoryMin int64  // bytes, memory.min of system/
	UserMemoryMax   int64  // bytes, memory.max of user/
	UserPidsMax     int64  // pids.max of user/
	UserCPUWeight   uint64 // cpu.weight of user/; system/ keeps 100
	UserIOWeight    uint64 // io.weight of user/
}

// Reserve is the budget of a machine with ram bytes. The system keeps an
// eighth, at least 96 MiB (what it uses at idle, measured with every core
// service up) and at most 1 GiB: beyond that nothing of it grows with RAM.
func Reserve(ram int64) Budget {
	reserve := min(max(ram/8, 96*mib), 1024*mib)
	return Budget{
		// Half of the reserve is guaranteed outright, the rest is merely out
		// of the users' reach: page cache may take it while nobody needs it.
		SystemMemoryMin: reserve / 2,
		UserMemoryMax:   max(ram-reserve, 64*mib),
		// Four thousand tasks a gigabyte: a fork bomb ends long before the
		// kernel's own limit (about 8000 a gigabyte), which would hit everybody.
		UserPidsMax:   max(ram/(1024*mib)*4096, 4096),
		UserCPUWeight: 50,
		UserIOWeight:  50,
	}
}
