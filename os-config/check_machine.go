package osconfig

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Checks of time, language, swap and mounts.

// timeServer checks a name or an address.
func timeServer(s string) string {
	switch {
	case strings.Contains(s, "://"):
		return fmt.Sprintf("%s is a URL; write the name or the address alone", quote(s))
	case strings.ContainsAny(s, " \t"):
		return fmt.Sprintf("%s has a blank in it; each entry is one server, without options", quote(s))
	case ipAddress(s) == "":
		return hostAddress(s)
	case domain(s) != "":
		return fmt.Sprintf("%s is neither a host name nor an IP address", quote(s))
	}
	return ""
}

func ntpSection(n *Node) []finding {
	var out found
	enabled := n.Child("enabled")
	for _, key := range []string{"servers", "pools"} {
		if !enabled.IsNull() && !saysYes(enabled) && len(childList(n, key)) > 0 {
			out.conflict(Warning, n.Child(key), "it has no effect: enabled is false")
		}
	}
	switch c := textAt(n, "ntp_client"); c {
	case "", "auto", "chrony":
	case "ntp", "ntpd", "ntpdate", "openntpd", "systemd-timesyncd", "timesyncd":
		out.doubtful("ntp_client", "it has no effect: the client is always chrony")
	default:
		out.wrong("ntp_client", fmt.Sprintf("%s is no client: auto or chrony", quote(c)))
	}
	return out
}

// timezone checks the shape of a zone's name; the database itself is in the
// console's image.
func timezone(s string) string {
	const example = "write it like Europe/Berlin, or UTC"
	areas := []string{
		"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Brazil", "Canada", "Chile",
		"Etc", "Europe", "Indian", "Mexico", "Pacific", "US",
	}
	singles := []string{
		"UTC", "GMT", "UCT", "Zulu", "Universal", "Greenwich", "EST", "MST", "HST", "EST5EDT", "CST6CDT", "MST7MDT",
		"PST8PDT", "CET", "MET", "EET", "WET", "Cuba", "Egypt", "Eire", "GB", "GB-Eire", "Hongkong", "Iceland", "Iran",
		"Israel", "Jamaica", "Japan", "Kwajalein", "Libya", "NZ", "NZ-CHAT", "Navajo", "PRC", "Poland", "Portugal",
		"ROC", "ROK", "Singapore", "Turkey", "W-SU", "Factory", "GMT0", "GMT+0", "GMT-0",
	}
	area, city, two := strings.Cut(s, "/")
	switch {
	case s == "" || slices.Contains(singles, s):
		return ""
	case strings.ContainsAny(s, " \t\n"):
		return fmt.Sprintf("%s has a blank in it; names of zones have \"_\" there, like America/New_York", quote(s))
	case !two && spelled(s, "A-Za-z", "A-Za-z0-9+:-") && strings.ContainsAny(s, "+-") && strings.ContainsAny(s, "0123456789"):
		return fmt.Sprintf("%s is no name of a zone; %s (Etc/GMT-2 is two hours ahead of UTC)", quote(s), example)
	case !two:
		return fmt.Sprintf("%s is no name of a zone; %s", quote(s), example)
	case !slices.Contains(areas, area):
		if i := slices.IndexFunc(areas, func(a string) bool { return editDistance(strings.ToLower(a), strings.ToLower(area)) <= 2 }); i >= 0 {
			return fmt.Sprintf("%s is no name of a zone; did you mean %s/%s?", quote(s), areas[i], capitals(city))
		}
		return fmt.Sprintf("%s is no area of the time zone database; %s", quote(area), example)
	}
	for part := range strings.SplitSeq(city, "/") {
		if !spelled(part, "A-Z", "A-Za-z0-9_+-") {
			if c := capitals(city); spelled(c, "A-Z", "A-Za-z0-9_+/-") {
				return fmt.Sprintf("%s is no name of a zone; did you mean %s/%s?", quote(s), area, c)
			}
			return fmt.Sprintf("%s is no name of a zone; %s", quote(s), example)
		}
	}
	return ""
}

// capitals writes a city as the time zone database does.
func capitals(s string) string {
	out := []byte(s)
	for i := range out {
		if (i == 0 || out[i-1] == '/' || out[i-1] == '_') && inSet(out[i], "a-z") {
			out[i] -= 'a' - 'A'
		}
	}
	return string(out)
}

// locale checks a name of the form ll_CC.UTF-8@modifier.
func locale(n *Node) []finding {
	s := n.Text
	if n.Kind == Bool && strings.EqualFold(s, "false") {
		return nil // cloud-init's word for leaving it as it is
	}
	switch s {
	case "", "C", "POSIX", "C.UTF-8", "C.utf8":
		return nil
	}
	name, _, _ := strings.Cut(s, "@")
	name, charset, _ := strings.Cut(name, ".")
	if !matches(`[a-z]{2,3}(_[A-Z]{2})?`, name) {
		if language, country, ok := strings.Cut(name, "-"); ok && matches(`[A-Za-z]{2,3}-[A-Za-z]{2}`, name) {
			return wrong(fmt.Sprintf("%s is no locale; did you mean %s_%s.UTF-8?", quote(s), strings.ToLower(language), strings.ToUpper(country)))
		}
		return wrong(fmt.Sprintf("%s is no locale; write it like en_US.UTF-8", quote(s)))
	}
	if charset != "" && plain(charset) != "utf8" {
		return doubtful(fmt.Sprintf("the character set %s is not there; %s.UTF-8 is used", charset, name))
	}
	return nil
}

// swapSize checks a number of bytes with or without a unit.
func swapSize(s string) string {
	digits := strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(s, "B"), "i"), "KMGTkmgt")
	unit := s[len(digits):]
	number, err := strconv.ParseFloat(digits, 64)
	switch {
	case err != nil || number < 0 || !spelled(digits, "0-9", "0-9."):
		return fmt.Sprintf("%s is no size; write bytes, or a number with K, M, G or T behind, like 2G", quote(s))
	case !slices.Contains([]string{"", "K", "M", "G", "T", "k", "m", "g", "t", "B", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"}, unit):
		return fmt.Sprintf("%s is no size; the unit %s is none of K, M, G and T", quote(s), unit)
	}
	return ""
}

func swapSection(n *Node) []finding {
	var out found
	size, most := textAt(n, "size"), textAt(n, "maxsize")
	if name := textAt(n, "filename"); name != "" {
		out.wrong("filename", absolutePath(name))
		if n.Child("size").IsNull() {
			out.doubtful("filename", "it has no effect without size")
		}
	}
	if size != "" && size != "auto" {
		out.wrong("size", swapSize(size))
	}
	if most != "" {
		out.wrong("maxsize", swapSize(most))
		if size != "auto" {
			out.doubtful("maxsize", "it has no effect: it bounds size: auto")
		}
	}
	return out
}

// mounts looks for two mounts at one place.
func mounts(n *Node) []finding {
	var out found
	seen := map[string]*Node{}
	for _, row := range n.List {
		if row.Kind != List || len(row.List) < 2 || row.List[1].IsNull() || !strings.HasPrefix(row.List[1].Text, "/") {
			continue
		}
		point := row.List[1]
		if first := seen[point.Text]; first != nil {
			out.conflict(Warning, point, fmt.Sprintf("%s is mounted twice; the one of line %d is hidden", point.Text, first.Pos.Line))
		}
		seen[point.Text] = point
	}
	return out
}

// mountRow checks one row: device, point, file system, options.
func mountRow(n *Node) []finding {
	items := n.List
	if n.Scalar() {
		if fields := strings.Fields(n.Text); len(fields) > 1 && (strings.HasPrefix(fields[1], "/") || fields[1] == "none" || fields[1] == "swap") {
			// Not the line itself: its options may hold a password.
			return wrong(`a line of fstab; write it as a list: [DEVICE, POINT, TYPE, "OPTIONS"]`)
		}
		items = []*Node{n}
	}
	text := func(i int) string {
		if i < len(items) && items[i] != nil {
			return items[i].Text
		}
		return ""
	}
	var out found
	at := func(i int, sev Severity, text string) {
		if text != "" {
			out = append(out, finding{severity: sev, kind: Value, node: items[i], text: text})
		}
	}
	kind, options := text(2), text(3)
	switch name := text(0); {
	case !cloudDevice(name):
		at(0, Error, mountDevice(name, kind, options))
	case text(1) != "":
		at(0, Warning, fmt.Sprintf("%s is a name that only some clouds know; the row has no effect: write the device, LABEL=… or UUID=…", quote(name)))
	}
	if len(items) > 1 {
		at(1, Error, mountPoint(text(1), kind))
	}
	if len(items) > 2 && kind != "" {
		at(2, Warning, fileSystem(kind))
	}
	if len(items) > 3 && strings.ContainsAny(options, " \t\n") {
		at(3, Error, "a blank in the options; they are separated by commas") // there may be a password among them
	}
	return out
}

func mountDevice(s, kind, options string) string {
	label, value, named := strings.Cut(s, "=")
	bind := slices.Contains(strings.Split(options, ","), "bind") || slices.Contains(strings.Split(options, ","), "rbind")
	switch {
	case s == "":
		return "the device is missing"
	case named && slices.Contains([]string{"LABEL", "UUID", "PARTLABEL", "PARTUUID"}, label):
		if value == "" {
			return fmt.Sprintf("nothing after %s=", label)
		}
		return ""
	case named && slices.Contains([]string{"label", "uuid", "partlabel", "partuuid"}, label):
		return fmt.Sprintf("%s: write %s= in capitals", quote(s), strings.ToUpper(label))
	case shortDevice(s), strings.HasPrefix(s, "//"), strings.Contains(s, ":/"), s == kind:
		return ""
	case slices.Contains([]string{"tmpfs", "ramfs", "overlay", "9p", "virtiofs", "none", "swap", "proc", "sysfs"}, kind) ||
		strings.HasPrefix(kind, "fuse") || slices.Contains([]string{"ceph", "glusterfs", "zfs"}, kind):
		return ""
	case strings.HasPrefix(s, "/dev/"):
		return absolutePath(s)
	case strings.HasPrefix(s, "/") && (bind || kind == "swap" || strings.Contains(options, "loop")):
		return absolutePath(s)
	case strings.HasPrefix(s, "/"):
		return fmt.Sprintf("%s is no device; to mount a directory or a file elsewhere, options are bind or loop", quote(s))
	}
	return fmt.Sprintf("%s is no device: LABEL=…, UUID=…, PARTLABEL=…, PARTUUID=…, /dev/…, SERVER:/PATH", quote(s))
}

// cloudDevice says whether s is a name from a cloud's mapping of devices.
func cloudDevice(s string) bool {
	return s == "root" || s == "ami" || s == "swap" || strings.HasPrefix(s, "ephemeral")
}

// shortDevice says whether s is a disk's name without /dev/.
func shortDevice(s string) bool {
	for _, prefix := range []string{"sd", "vd", "xvd", "hd", "nvme", "mmcblk", "md", "dm-", "sr"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok && spelled(rest, "a-z0-9", "a-z0-9") {
			return true
		}
	}
	return false
}

// ownMountPoint follows a place where nothing is mounted.
const ownMountPoint = " is the system's own; mount it at /mnt, /media, /opt, /home or below /var"

func mountPoint(s, kind string) string {
	switch {
	case s == "" || s == "none" || s == "swap":
		if s != "" && kind != "" && kind != "swap" {
			return fmt.Sprintf("%s is the mount point of swap, not of %s", s, kind)
		}
		return ""
	case kind == "swap":
		return "swap has no mount point; write none"
	case !strings.HasPrefix(s, "/"):
		return fmt.Sprintf("%s is no mount point: an absolute path, or none for swap", quote(s))
	}
	if strings.Trim(s, "/") == "" {
		return "/" + ownMountPoint
	}
	if problem := absolutePath(s); problem != "" {
		return problem
	}
	top := "/" + strings.SplitN(strings.Trim(s, "/"), "/", 2)[0]
	if slices.Contains([]string{"/proc", "/sys", "/dev", "/run", "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib64"}, strings.TrimSuffix(s, "/")) ||
		slices.Contains([]string{"/proc", "/sys", "/dev"}, top) {
		return quote(s) + ownMountPoint
	}
	return ""
}

func fileSystem(s string) string {
	known := []string{
		"auto", "ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "exfat", "ntfs", "ntfs3", "iso9660", "udf", "squashfs",
		"erofs", "f2fs", "nfs", "nfs4", "cifs", "smb3", "tmpfs", "ramfs", "swap", "none", "bind", "overlay", "9p", "virtiofs",
		"ceph", "glusterfs", "zfs", "proc", "sysfs", "tracefs", "debugfs", "hugetlbfs",
	}
	if slices.Contains(known, s) || strings.HasPrefix(s, "fuse") {
		return ""
	}
	best := slices.IndexFunc(known, func(k string) bool { return editDistance(k, s) == 1 })
	if best >= 0 {
		return fmt.Sprintf("%s is no file system that is known here; did you mean %s?", quote(s), known[best])
	}
	return fmt.Sprintf("%s is no file system that is known here", quote(s))
}
