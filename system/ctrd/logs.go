package ctrd

import "path/filepath"

// LogPath is the file that a unit's output is appended to. Its shim writes it,
// so that the lines of a time without manager or containerd are there too.
// Who reads it (system/logging) keeps it bounded.
func (c *Client) LogPath(name string) string {
	return filepath.Join(c.opts.Paths.Logs, name+".log")
}
