package vmtest

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// These tests prove the harness on real parts, without Pharos.

// greetingSector is a boot sector that prints text on the serial port and halts.
func greetingSector(text string) []byte {
	s := make([]byte, 1<<20) // a BIOS takes no disk of one sector
	code := []byte{
		0x31, 0xc0, 0x8e, 0xd8, 0xfc, // xor ax,ax; mov ds,ax; cld
		0xba, 0xf8, 0x03, // mov dx,0x3f8
		0xbe, 0x16, 0x7c, // mov si,text
		0xac, 0x84, 0xc0, 0x74, 0x03, // next: lodsb; test al,al; jz end
		0xee, 0xeb, 0xf8, // out dx,al; jmp next
		0xf4, 0xeb, 0xfd, // end: hlt; jmp end
	}
	copy(s, append(code, text...))
	s[510], s[511] = 0x55, 0xaa
	return s
}

func harnessDir(t *testing.T) (Toolbox, string) {
	t.Helper()
	root, err := FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "build", "vmtest", t.Name())
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return FindToolbox(root), dir
}

func TestVMHarnessMachine(t *testing.T) {
	tools, dir := harnessDir(t)
	stick := filepath.Join(dir, "stick.img")
	if err := os.WriteFile(stick, greetingSector("\x1b[1mpharos: reached ready at 1.25s\r\nBUG: x\r\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := Within(t.Context(), time.Minute, "harness")
	defer cancel()
	m, err := Start(ctx, tools, Spec{Name: "harness", Stick: stick, NICs: 1, Memory: 64, Watchdog: true}, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	if ms, err := m.WaitMilestone(ctx, 0, "ready"); err != nil || ms.At != 1.25 {
		t.Errorf("milestone %v, %v", ms, err)
	}
	// The machine writes a character at a time: all of it must be out before
	// it is ended.
	if _, err := m.Console.Wait(ctx, regexp.MustCompile(`BUG: x\n`)); err != nil {
		t.Error(err)
	}
	if err := m.QMP.SetLink(ctx, "nic0", false); err != nil {
		t.Error(err)
	}
	if err := m.QMP.CtrlAltDel(ctx); err != nil {
		t.Error(err)
	}
	if _, err := m.QMP.Do(ctx, "quit", nil); err != nil {
		t.Error(err)
	}
	if err := m.WaitExit(ctx); err != nil {
		t.Error(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "console.log"))
	if err != nil || !bytes.Contains(log, []byte("BUG: x\n")) || len(Accidents(string(log))) != 1 {
		t.Errorf("console log %q, %v", log, err)
	}
}

func TestVMHarnessKill(t *testing.T) {
	tools, dir := harnessDir(t)
	m, err := Start(t.Context(), tools, Spec{Name: "harness", Memory: 64}, dir)
	if err != nil {
		t.Fatal(err)
	}
	pid := m.cmd.Process.Pid
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/" + itoa(pid)); err == nil {
		t.Errorf("process %d still runs", pid)
	}
	if err := m.Kill(); err != nil {
		t.Errorf("second kill: %v", err)
	}
	if _, err := Start(t.Context(), tools, Spec{Name: "x", Stick: "/nonexistent"}, dir); err == nil || !strings.Contains(err.Error(), "nonexistent") {
		t.Errorf("a machine without its disk: %v", err)
	}
}

func TestVMHarnessMedia(t *testing.T) {
	tools, dir := harnessDir(t)
	seed, state, garbage := filepath.Join(dir, "seed.iso"), filepath.Join(dir, "state.img"), filepath.Join(dir, "garbage.iso")
	if err := WriteSeed(tools, seed, map[string]string{"meta-data": "", "user-data": "#cloud-config\n"}); err != nil {
		t.Fatal(err)
	}
	if err := WriteStateDisk(tools, state, 64<<20); err != nil {
		t.Fatal(err)
	}
	if err := WriteGarbageSeed(tools, garbage, func(b []byte) { rand.Read(b) }); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{seed: "cidata", state: "PHAROS_STATE", garbage: "cidata"} {
		out, err := tools.Run("blkid", "-p", "-s", "LABEL", "-o", "value", path)
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s has label %q, want %q (%v)", filepath.Base(path), out, want, err)
		}
	}
	if err := CheckExt4(tools, state); err != nil {
		t.Error(err)
	}
	for off := int64(1024); off < 6<<20; off += 4096 {
		if err := FlipByte(state, off+17); err != nil {
			t.Fatal(err)
		}
	}
	if err := CheckExt4(tools, state); err == nil {
		t.Error("damage was not found")
	}
}
