package vmtest

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestConsoleStripsControlSequencesInAnyPieces(t *testing.T) {
	const in = "\x1b[2J\x1b[01;32mlogin\x1b[0m:\r\n\x1b]0;title\x07$ \x1b(Bok\x1b]2;x\x1b\\!\n\x00"
	const want = "login:\n$ ok!\n"
	for size := 1; size <= len(in); size++ {
		var log bytes.Buffer
		c := NewConsole(&log, io.Discard)
		for i := 0; i < len(in); i += size {
			c.add([]byte(in[i:min(i+size, len(in))]))
		}
		if got := c.Text(); got != want || log.String() != want {
			t.Errorf("pieces of %d: text %q, log %q, want %q", size, got, log.String(), want)
		}
	}
}

func TestConsoleWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		c := NewConsole(io.Discard, io.Discard)
		go c.Run(r)
		go func() {
			<-time.After(time.Second)
			io.WriteString(w, "pharos: reached ssh at 1")
			<-time.After(time.Second)
			io.WriteString(w, "2.34s\r\n")
		}()
		ctx, cancel := Within(t.Context(), time.Minute, "ssh")
		defer cancel()
		m, err := c.Wait(ctx, milestonePattern("ssh"))
		if err != nil || m[2] != "12.34" {
			t.Fatalf("Wait = %q, %v", m, err)
		}
		mark := c.Mark()
		if _, err := c.WaitFrom(ctx, mark, milestonePattern("ssh")); err == nil || !strings.Contains(err.Error(), "ssh took longer than 1m0s") {
			t.Errorf("a line before the mark was taken: %v", err)
		}
		w.Close()
		synctest.Wait()
		if _, err := c.WaitFrom(t.Context(), mark, regexp.MustCompile("x")); err == nil {
			t.Error("no error though the console is closed")
		}
	})
}
