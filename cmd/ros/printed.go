package main

import (
	"errors"
	"io"
	"io/fs"
)

// printed notes that what a command prints does not arrive: a program that
// reads half of a configuration must not take it for all.
type printed struct {
	to  io.Writer
	err error // the first one
}

func (p *printed) Write(b []byte) (int, error) {
	n, err := p.to.Write(b)
	if err != nil && p.err == nil {
		p.err = err
		if of, ok := errors.AsType[*fs.PathError](err); ok {
			p.err = of.Err
		}
	}
	return n, err
}
