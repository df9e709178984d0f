package osconfig

import (
	"fmt"
	"slices"
	"strings"
)

func stateDevice(n *Node) []finding {
	s := n.Text
	kind, value, ok := strings.Cut(s, "=")
	switch {
	case s == "" || s == "none":
		return nil
	case ok && slices.Contains([]string{"LABEL", "UUID", "PARTLABEL"}, kind):
		if value == "" {
			return wrong(fmt.Sprintf("nothing after %s=", kind))
		}
		return nil
	case strings.HasPrefix(s, "/dev/"):
		return wrong(absolutePath(s))
	}
	return wrong(fmt.Sprintf("%s is no device: LABEL=…, UUID=…, PARTLABEL=…, /dev/… or none", quote(s)))
}

func stateType(n *Node) []finding {
	switch n.Text {
	case "", "auto", "ext4":
		return nil
	case "ext3", "ext2", "xfs", "btrfs", "f2fs":
		return doubtful(fmt.Sprintf("%s is mounted if the kernel can, but neither checked nor grown", n.Text))
	}
	return wrong(fmt.Sprintf("%s is no file system for state: auto or ext4", quote(n.Text)))
}

func storageDriver(n *Node) []finding {
	switch n.Text {
	case "", "overlay2", "overlayfs", "btrfs", "zfs", "vfs", "native", "fuse-overlayfs", "stargz":
		return nil
	case "overlay":
		return doubtful("storage driver overlay is gone from Docker; overlayfs is used instead")
	case "aufs", "devicemapper":
		return wrong(fmt.Sprintf("storage driver %s is gone from Docker; leave it out, or use overlay2", n.Text))
	}
	return doubtful(fmt.Sprintf("storage driver %s is not one of Docker's own", quote(n.Text)))
}

func logDriver(n *Node) []finding {
	known := []string{
		"", "none", "local", "json-file", "syslog", "journald", "gelf", "fluentd", "awslogs", "splunk",
		"etwlogs", "gcplogs", "logentries",
	}
	if slices.Contains(known, n.Text) {
		return nil
	}
	return doubtful(fmt.Sprintf("log driver %s is not one of Docker's own", quote(n.Text)))
}

// engineEntry looks at the engine's options as a whole.
func engineEntry(n *Node) []finding {
	var out []finding
	root, graph := n.Child("data_root"), n.Child("graph")
	if root != nil && graph != nil && root.Text != graph.Text {
		out = append(out, finding{
			severity: Warning, kind: Conflict, key: "graph",
			text: "data_root is set too and wins",
		})
	}
	return out
}
