package ctrd

import (
	"os"
	"path/filepath"
)

// LogPath is the file that a unit's output is appended to. Its shim writes it,
// so that the lines of a time without manager or containerd are there too.
// Who reads it (system/logging) keeps it bounded.
func (c *Client) LogPath(name string) string {
	return filepath.Join(c.opts.Paths.Logs, name+".log")
}

// outputs makes the file at path, if it is not there, and gives its names for
// a task's two streams. They are spelt differently on purpose: given one name
// for both, containerd's shim (2.4) closes the file as soon as one stream
// ends; what the other has still to say is lost, or blocks who says it.
func outputs(path string) (stdout, stderr string, err error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return "", "", err
	}
	dir, name := filepath.Split(path)
	return path, dir + "./" + name, file.Close()
}
