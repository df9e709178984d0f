package osconfig

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Volumes, devices, sizes and CPUs of services.

// volume checks [HOST-OR-NAME:]PATH[:OPTIONS].
func volume(s string) string {
	source, target, both := strings.Cut(s, ":")
	if !both {
		return volumePath(s, s)
	}
	target, options, _ := strings.Cut(target, ":")
	switch {
	case strings.HasPrefix(source, "."), strings.HasPrefix(source, "~"):
		return fmt.Sprintf("%s: %s depends on where one stands; write an absolute path", quote(s), quote(source))
	case strings.HasPrefix(source, "/"):
	case !spelled(source, "A-Za-z0-9", "A-Za-z0-9_.-"):
		return fmt.Sprintf("%s is no path or name of a volume", quote(source))
	}
	if !strings.HasPrefix(target, "/") && strings.HasPrefix(source, "/") && options == "" && isVolumeOption(target) {
		return fmt.Sprintf("%s has no path in the container; write %s:%s:%s", quote(s), source, source, target)
	}
	if problem := volumePath(s, target); problem != "" {
		return problem
	}
	for o := range strings.SplitSeq(options, ",") {
		if options != "" && !isVolumeOption(o) {
			return fmt.Sprintf("%s is no option of a volume: ro, rw, z, Z, nocopy, shared, rshared, slave, rslave, private, rprivate", quote(o))
		}
	}
	return ""
}

func volumePath(whole, target string) string {
	switch {
	case !strings.HasPrefix(target, "/"):
		return fmt.Sprintf("%s: %s is no absolute path in the container", quote(whole), quote(target))
	case target == "/":
		return fmt.Sprintf("%s: a volume cannot be the container's root", quote(whole))
	}
	return ""
}

func isVolumeOption(s string) bool {
	return slices.Contains([]string{
		"ro", "rw", "z", "Z", "nocopy", "shared", "rshared", "slave", "rslave", "private", "rprivate",
		"consistent", "cached", "delegated", "U",
	}, s)
}

// volumesFrom checks SERVICE[:ro] and container:NAME[:ro].
func volumesFrom(s string) string {
	name := strings.TrimPrefix(s, "container:")
	name, mode, _ := strings.Cut(name, ":")
	if mode != "" && mode != "ro" && mode != "rw" {
		return fmt.Sprintf("%s is not ro or rw", quote(mode))
	}
	return serviceWord(name)
}

// device checks HOST[:CONTAINER[:rwm]].
func device(s string) string {
	parts := strings.Split(s, ":")
	const most = 3
	switch {
	case len(parts) > most:
		return fmt.Sprintf("%s is no device; write HOST[:CONTAINER[:rwm]]", quote(s))
	case !strings.HasPrefix(parts[0], "/dev/"):
		return fmt.Sprintf("%s is no device below /dev", quote(parts[0]))
	}
	if len(parts) == 2 && deviceMode(parts[1]) {
		return ""
	}
	if len(parts) > 1 && !strings.HasPrefix(parts[1], "/") {
		return fmt.Sprintf("%s is no absolute path", quote(parts[1]))
	}
	if len(parts) == most && !deviceMode(parts[2]) {
		return fmt.Sprintf("%s is not made of r, w and m", quote(parts[2]))
	}
	return ""
}

func deviceMode(s string) bool { return s != "" && strings.Trim(s, "rwm") == "" }

func tmpfs(s string) string {
	path, _, _ := strings.Cut(s, ":")
	return volumePath(s, path)
}

// bytesOf reads a number of bytes with b, k, m, g or t behind, as Docker does.
func bytesOf(s string) (int64, bool) {
	t := strings.ToLower(strings.TrimSpace(s))
	t = strings.TrimSuffix(strings.TrimSuffix(t, "b"), "i")
	shift := 0
	if t != "" {
		if i := strings.IndexByte("kmgt", t[len(t)-1]); i >= 0 {
			shift, t = 10*(i+1), t[:len(t)-1]
		}
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(t), 64)
	bytes := f * float64(int64(1)<<shift)
	if err != nil || !(f >= 0) || bytes > 1<<60 || strings.Trim(t, "0123456789. ") != "" {
		return 0, false
	}
	return int64(bytes), true
}

func byteSize(s string) string {
	if _, ok := bytesOf(s); !ok && s != "" {
		return fmt.Sprintf("%s is no size; write bytes, or 512k, 64m, 2g", quote(s))
	}
	return ""
}

func memoryLimit(s string) string {
	const least = 6 << 20 // what Docker refuses to go below
	if problem := byteSize(s); problem != "" {
		return problem
	}
	if n, _ := bytesOf(s); n > 0 && n < least {
		return fmt.Sprintf("%s is %d bytes; the least is 6m", quote(s), n)
	}
	return ""
}

func swapLimit(s string) string {
	if s == "-1" {
		return ""
	}
	return byteSize(s)
}

// cpuSet checks 0-2,4.
func cpuSet(s string) string {
	if s == "" {
		return ""
	}
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(part, "-")
		a, err := strconv.Atoi(first)
		b, err2 := a, error(nil)
		if isRange {
			b, err2 = strconv.Atoi(last)
		}
		if err != nil || err2 != nil || a < 0 || b < a || b > 8191 {
			return fmt.Sprintf("%s is no list of CPUs, like 0-2,4", quote(s))
		}
	}
	return ""
}

func cpuQuota(s string) string {
	const least = 1000 // microseconds, of the kernel
	i, err := strconv.Atoi(s)
	if err != nil || i != 0 && i != -1 && i < least {
		return fmt.Sprintf("%s: at least %d microseconds of each 100000, or -1 for no bound", s, least)
	}
	return ""
}
