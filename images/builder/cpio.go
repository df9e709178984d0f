package main

import (
	"fmt"
	"io"
	"os"
)

// cpioWriter writes the "newc" cpio format (the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst). Owner is
// always root, every time is the same: equal content gives equal bytes.
type cpioWriter struct {
	w     io.Writer
	mtime int64 // seconds since the epoch
	inode int
	n     int64 // bytes written
	err   error
}

const (
	cpioDir     = 0o040000
	cpioFile    = 0o100000
	cpioSymlink = 0o120000
	cpioChar    = 0o020000
)

// entry writes one member. mode holds type and permission bits; major and
// minor are those of a device node.
func (c *cpioWriter) entry(name string, mode uint32, data []byte, major, minor uint32) {
	c.inode++
	links := 1
	if mode&0o170000 == cpioDir {
		links = 2
	}
	c.printf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		c.inode, mode, 0, 0, links, c.mtime, len(data), 0, 0, major, minor, len(name)+1, 0, name)
	c.pad()
	c.write(data)
	c.pad()
}

func (c *cpioWriter) dir(name string) { c.entry(name, cpioDir|0o755, nil, 0, 0) }
func (c *cpioWriter) symlink(name, target string) {
	c.entry(name, cpioSymlink|0o777, []byte(target), 0, 0)
}
func (c *cpioWriter) device(name string, perm, major, minor uint32) {
	c.entry(name, cpioChar|perm, nil, major, minor)
}

// file adds the file source under name.
func (c *cpioWriter) file(name, source string, perm uint32) {
	data, err := os.ReadFile(source)
	if err != nil && c.err == nil {
		c.err = err
	}
	c.entry(name, cpioFile|perm, data, 0, 0)
}

// close ends the archive and returns the first error.
func (c *cpioWriter) close() error {
	c.inode = -1 // the trailer's inode is 0
	c.mtime = 0
	c.entry("TRAILER!!!", 0, nil, 0, 0)
	for c.err == nil && c.n%512 != 0 {
		c.write(make([]byte, 512-c.n%512))
	}
	return c.err
}

func (c *cpioWriter) pad() { c.write(make([]byte, (4-c.n%4)%4)) }

func (c *cpioWriter) printf(format string, args ...any) { c.write(fmt.Appendf(nil, format, args...)) }

func (c *cpioWriter) write(p []byte) {
	if c.err != nil {
		return
	}
	n, err := c.w.Write(p)
	c.n += int64(n)
	c.err = err
}
