package vmtest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// buildImage is the image on which the builds of TestSoakTools stand: busybox and
// a client of the SSH agent, without a shell of the name sh.
const buildImage = "tools:test"

// buildDeadline is for a build, a push, a pull: a hundred programs start.
const buildDeadline = 4 * stepDeadline

// recipe is a build that uses what only BuildKit has. Its result is /result in
// the image and at the root of the target "files".
const recipe = `FROM tools:test AS make
SHELL ["/usr/bin/busybox", "sh", "-ec"]
COPY word /result/word
RUN --mount=type=cache,target=/cache echo line >>/cache/log; busybox wc -l </cache/log >/result/lines
RUN --mount=type=secret,id=pass busybox sha256sum </run/secrets/pass >/result/pass
RUN --mount=type=ssh /usr/bin/ssh-add -l >/result/keys
FROM scratch AS files
COPY --from=make /result /
FROM tools:test
COPY --from=make /result /result
`

// cutRecipe writes megabytes in each step and then waits: for the power cut,
// where it is long.
const cutRecipe = `FROM tools:test
SHELL ["/usr/bin/busybox", "sh", "-ec"]
RUN busybox dd if=/dev/urandom of=/1 bs=64k count=64; busybox sha256sum /1 >/1.sum
RUN busybox dd if=/dev/urandom of=/2 bs=64k count=64; busybox sha256sum /2 >/2.sum
RUN --mount=type=cache,target=/cache busybox dd if=/dev/urandom of=/cache/3 bs=64k count=64; busybox sha256sum /cache/3 >/cache/3.sum
RUN busybox dd if=/dev/urandom of=/4 bs=64k count=64; busybox sha256sum /4 >/4.sum
ARG pause=0
RUN echo reached $((40+2)); busybox sleep $pause
RUN busybox sha256sum -c /1.sum /2.sum /4.sum
`

// TestSoakTools uses Docker's tools on the console, on somebody's laptop and in a
// Go program, cuts the power in a build and builds again.
func TestSoakTools(t *testing.T) {
	l := newLab(t)
	var err error
	if l.key, err = LoadKey(l.path("id")); err != nil {
		t.Fatal(err)
	}
	state := l.path("state.img")
	if err := WriteStateDisk(l.tools, state, 4<<30); err != nil {
		t.Fatal(err)
	}
	spec := l.direct(l.files.SystemImg)
	spec.Disks = append(spec.Disks, Disk{Path: state}, l.seed(t, "tools", l.cloudConfig("hostname: tools\n")))

	// The end of this machine is the power cut.
	t.Run("first boot", func(t *testing.T) {
		g := l.start(t, spec, false)
		g.login(t)
		g.ready(t, bootDeadline)
		for name, programs := range map[string][]string{
			buildImage: {"/usr/bin/busybox", "/usr/bin/ssh-add"}, "registry:base": {"/usr/bin/docker-registry"},
		} {
			image, err := ToolboxImage(l.tools, name, programs, programs[:1])
			if err != nil {
				t.Fatal(err)
			}
			g.feed(t, "docker load", image)
		}
		t.Run("versions", func(t *testing.T) { testToolVersions(t, g) })
		t.Run("BuildKit", func(t *testing.T) { testBuildKit(t, g) })
		t.Run("registry", func(t *testing.T) { testPush(t, g) })
		t.Run("laptop", func(t *testing.T) { testLaptop(t, g) })
		t.Run("program", func(t *testing.T) { testProgram(t, g) })
		g.sends(t, "cut", file{"Dockerfile", 0o644, []byte(cutRecipe)})
		g.run(t, "cd cut && (docker build --progress=plain --build-arg pause=600 . >log 2>&1 </dev/null &)")
		g.eventuallyPrints(t, buildDeadline, "grep -E '^#[0-9]+ [0-9.]+ reached 42' cut/log; tail -n 3 cut/log >&2", "reached 42")
	})
	t.Run("after the power cut", func(t *testing.T) {
		g := l.start(t, spec, false)
		g.login(t)
		g.ready(t, bootDeadline)
		testCutBuild(t, g)
	})
}

// sends makes a directory in the user's home that holds files.
func (g *guest) sends(t *testing.T, dir string, files ...file) {
	t.Helper()
	var archive bytes.Buffer
	if err := writeTar(&archive, files...); err != nil {
		t.Fatal(err)
	}
	g.feed(t, "mkdir -p "+dir+" && tar -x -C "+dir, archive.Bytes())
}

// build runs a command that must succeed and returns its output, trimmed.
func (g *guest) build(t *testing.T, command string) string {
	t.Helper()
	r := g.tryWithin(t, buildDeadline, command)
	if r.Code != 0 {
		t.Fatalf("%s: code %d\n%s%s", command, r.Code, r.Stdout, r.Stderr)
	}
	return strings.TrimSpace(r.Stdout)
}

// testToolVersions: the tools are those that go.mod pins, under all their names.
func testToolVersions(t *testing.T, g *guest) {
	mod, err := os.ReadFile(filepath.Join(g.lab.files.Root, "cmd/docker-plugins/go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	pinned := func(module string) string {
		m := regexp.MustCompile(`\t` + regexp.QuoteMeta(module) + ` v([0-9.]+)`).FindSubmatch(mod)
		if m == nil {
			t.Fatalf("go.mod does not pin %s", module)
		}
		return string(m[1])
	}
	cli, buildx, compose := pinned("github.com/docker/cli"), pinned("github.com/docker/buildx"), pinned("github.com/docker/compose/v5")
	tests := []struct{ command, want string }{
		{"docker version -f '{{.Client.Version}}'", cli},
		{"docker version -f '{{.Server.Version}}' | cut -d. -f1", "29"},
		{"docker buildx version", "github.com/docker/buildx v" + buildx},
		{"docker compose version --short", compose},
		{"docker-compose version --short", compose},
		{"docker info -f '{{range .ClientInfo.Plugins}}{{.Name}} {{.Version}} {{.Err}};{{end}}'",
			fmt.Sprintf("buildx v%s <nil>;compose v%s <nil>;", buildx, compose)},
		{"docker buildx inspect | awk '$1==\"Driver:\" || $1==\"Status:\" {print $2}' | paste -sd ' '", "docker running"},
		{`bash -ic 'source /usr/share/bash-completion/bash_completion; _comp_load docker || _completion_loader docker; complete -p docker' 2>/dev/null | awk '{print $NF}'`, "docker"},
		{"docker __complete compos 2>/dev/null | head -n 1 | cut -f1", "compose"},
	}
	for _, tt := range tests {
		if r := g.try(t, tt.command); r.Code != 0 || strings.TrimSpace(r.Stdout) != tt.want {
			t.Errorf("%s: code %d, prints %q (%s), want %q", tt.command, r.Code, r.Stdout, r.Stderr, tt.want)
		}
	}
}

// testBuildKit builds the recipe with plain `docker build`.
func testBuildKit(t *testing.T, g *guest) {
	const pass = "not in any layer"
	g.sends(t, "recipe", file{"Dockerfile", 0o644, []byte(recipe)}, file{"word", 0o644, []byte("kept\n")}, file{"pass", 0o600, []byte(pass)})
	g.run(t, "ssh-keygen -q -t ed25519 -N '' -C of-the-agent -f recipe.key && echo 'recipe.key pass' >recipe/.dockerignore")
	build := func(options string) string {
		t.Helper()
		r := g.tryWithin(t, buildDeadline, "cd recipe && ssh-agent sh -c 'ssh-add -q ../recipe.key && docker build --progress=plain --secret id=pass,src=pass --ssh default "+options+" .'")
		if r.Code != 0 {
			t.Fatalf("docker build: code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
		}
		if strings.Contains(r.Stderr, "DEPRECATED") {
			t.Errorf("this is the old builder:\n%s", r.Stderr)
		}
		return r.Stderr
	}
	build("-t recipe:1")
	results := func() string {
		return g.run(t, "docker run --rm recipe:1 /usr/bin/busybox sh -c 'cd /result; busybox cat word lines; busybox cut -c1-64 pass; busybox grep -c of-the-agent keys'")
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(pass)))
	if got, want := results(), "kept\n1\n"+sum+"\n1"; got != want {
		t.Errorf("the build's results are %q, want %q", got, want)
	}
	layers := g.run(t, "docker image inspect -f '{{.RootFS.Layers}}' recipe:1")
	began := time.Now()
	log := build("-t recipe:2")
	if n := strings.Count(log, " CACHED"); n != 5 {
		t.Errorf("the second build found %d of 5 steps in the cache:\n%s", n, log)
	}
	t.Logf("the second build took %.1f s", time.Since(began).Seconds())
	if now := g.run(t, "docker image inspect -f '{{.RootFS.Layers}}' recipe:2"); now != layers {
		t.Errorf("the second build's layers are %s, the first one's %s", now, layers)
	}
	build("--target files -t files:1")
	if out := g.run(t, "docker history --no-trunc files:1; docker save files:1 | grep -ac '"+pass+"' || true"); strings.Contains(out, pass) || !strings.HasSuffix(out, "\n0") {
		t.Errorf("the secret is in the image:\n%s", out)
	}
	// What a step left in its cache is there in the next run of that step.
	g.run(t, "echo changed >recipe/word")
	build("-t recipe:1")
	if got, want := results(), "changed\n2\n"+sum+"\n1"; got != want {
		t.Errorf("after a change the results are %q, want %q", got, want)
	}

	build("--target files --output type=local,dest=../out")
	build("--target files --output type=tar,dest=../out.tar")
	if got := g.run(t, "cat out/word; tar -xOf out.tar word; stat -c %U out/word"); got != "changed\nchanged\nrancher" {
		t.Errorf("--output has written %q", got)
	}
}

// testPush pushes with buildx to a registry on this machine and runs what it holds.
func testPush(t *testing.T, g *guest) {
	g.sends(t, "registry",
		file{"Dockerfile", 0o644, []byte("FROM registry:base\nCOPY registry.yml /\nCMD [\"/usr/bin/docker-registry\", \"serve\", \"/registry.yml\"]\n")},
		file{"registry.yml", 0o644, []byte("version: 0.1\nlog: {level: warn}\nstorage: {filesystem: {rootdirectory: /data}}\nhttp: {addr: ':5000'}\n")})
	g.build(t, "docker build -t registry:test registry")
	g.run(t, "docker run -d --name registry -p 127.0.0.1:5000:5000 registry:test")
	g.eventuallyPrints(t, stepDeadline, "curl -s 127.0.0.1:5000/v2/", "{}")
	const image = "127.0.0.1:5000/team/app:1"
	g.build(t, "cd recipe && printf 'FROM tools:test\\nCOPY word /word\\n' | docker buildx build --push -t "+image+" -f - .")
	if out := g.run(t, "curl -s 127.0.0.1:5000/v2/team/app/tags/list"); !strings.Contains(out, `"1"`) {
		t.Errorf("the registry's tags are %s", out)
	}
	g.try(t, "docker rmi "+image)
	if out := g.build(t, "docker run --rm "+image+" /usr/bin/busybox cat /word"); out != "changed" {
		t.Errorf("what was pulled prints %q", out)
	}
	g.run(t, "docker rm -f registry")
}

// testCutBuild: what the build cache still holds after the power cut is right.
func testCutBuild(t *testing.T, g *guest) {
	r := g.tryWithin(t, buildDeadline, "cd cut && docker build --progress=plain -t cut:1 .")
	if r.Code != 0 {
		t.Fatalf("the build after the power cut: code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	t.Logf("%d of 4 steps were still in the cache", strings.Count(r.Stderr, " CACHED"))
	if out := g.run(t, "docker run --rm cut:1 /usr/bin/busybox sha256sum -c /1.sum /2.sum /4.sum"); strings.Count(out, ": OK") != 3 {
		t.Errorf("files of the image: %s", out)
	}
	// A cache directory is a step's own: it is whole, or has nothing.
	g.sends(t, "look", file{"Dockerfile", 0o644, []byte(`FROM tools:test
SHELL ["/usr/bin/busybox", "sh", "-ec"]
RUN --mount=type=cache,target=/cache if busybox test -e /cache/3.sum; then busybox sha256sum -c /cache/3.sum; fi
`)})
	g.build(t, "docker build look")
	if r := g.tryWithin(t, buildDeadline, "docker buildx du && docker builder prune -af"); r.Code != 0 {
		t.Errorf("the cache cannot be read or emptied: code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}
