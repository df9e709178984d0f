package vmtest
import ("testing";"time";"os";"os/exec")
func TestVMTmp(t *testing.T) {
	l := newLab(t)
	if out, err := exec.Command("cp", l.files.SystemImg, l.files.Initrd, l.files.Vmlinuz, l.dir).CombinedOutput(); err != nil { t.Fatal(string(out)) }
	l.files.SystemImg, l.files.Initrd, l.files.Vmlinuz = l.path("system.img"), l.path("initrd"), l.path("vmlinuz")
	g := l.start(t, l.direct(l.files.SystemImg, l.keyParam(), os.Getenv("VMAPPEND")), false)
	ctx, cancel := Within(t.Context(), 4*time.Minute, "ready")
	defer cancel()
	_, err := g.WaitMilestone(ctx, 0, "ssh")
	if err == nil {
		g.login(t)
		_, err = g.WaitMilestone(ctx, 0, "ready")
		for _, c := range []string{"ros status", "ros service list", "ros boot", "ps -ef", "mount", "ros logs -n 100"} {
			r := g.try(t, c); t.Logf("%s: %d\n%s%s", c, r.Code, r.Stdout, r.Stderr)
		}
	}
	t.Log(err, lastLines(g.Console.Text(), 150))
}
