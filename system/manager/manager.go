package manager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/console/setup"
	"github.com/pharos-os/pharos/init/modules"
	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/resolv"
	"github.com/pharos-os/pharos/netconf/rtnl"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/services"
	"github.com/pharos-os/pharos/services/chrony"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/services/wifi"
	"github.com/pharos-os/pharos/system/control"
	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/ctrd"
	"github.com/pharos-os/pharos/system/linux"
	"github.com/pharos-os/pharos/system/logging"
	"github.com/pharos-os/pharos/system/settings"
	"github.com/pharos-os/pharos/system/state"
	"github.com/pharos-os/pharos/system/supervise"
	"github.com/pharos-os/pharos/system/unit"
)

const (
	runDir = "/run/pharos"
	// controlGroup is the gid of the group pharos, which may use the socket.
	controlGroup = 1101
)

// record is what stage 1 left in /run/pharos/boot.json.
type record struct {
	Slot   string      `json:"slot"`
	Source string      `json:"source"`
	Stages []api.Stage `json:"stages"`
}

// Manager is the running rosd.
type Manager struct {
	version string
	log     *slog.Logger
	clock   clock
	machine services.Machine
	boot    record
	cmdline string

	console    *logging.Console
	book       *logging.Book
	init       *initLink
	graph      *supervise.Graph
	sup        *supervise.Supervisor
	containers *ctrd.Client
	containerd *daemon
	net        *netconf.Manager
	names      *resolv.Writer
	chrony     *chrony.Daemon
	times      sync.Mutex    // one at a time tells chronyd
	timesAgain chan struct{} // capacity 1: it is to be told again
	wifi       *wifi.Daemon
	wifiUp     chan struct{}              // capacity 1: its unit has started
	looks      looks                      // looks at files of the engine's, which may not answer
	swarming   sync.Mutex                 // one at a time changes the machine's part in its swarm
	swarmAgain chan struct{}              // capacity 1: it is to be looked at
	arrivals   chan []setup.Arrival       // capacity 1: mounts from servers that are there
	units      map[string]*supervise.Gate // open while the unit runs
	launched   *supervise.Gate            // the units that people wait for are there
	quit       context.CancelFunc
	settings   *settings.Settings
	modules    func() (*modules.Loader, error)
	root       string              // put before the configuration's files; for tests
	sys        fs.FS               // /sys
	media      func() load.Devices // volumes that may hold configuration, as they are now
	imds       imds.Options        // how metadata services are asked
	loading    sync.Mutex          // one reload at a time
	applying   sync.Mutex          // one difference at a time
	withdrawn  time.Time           // when a restart of the console removed the engine's file Go; of treeMu
	handTried  time.Time           // when the engine could not be moved to another tree; by watchSetup alone
	handFailed error               // why
	treeMu     sync.Mutex          // of the tree that console and engine share

	mu         sync.Mutex
	config     load.Result
	online     online
	planned    setup.Plan // the console's, as it was last written
	mounted    state.Mounted
	swarm      swarmState
	milestones []api.Milestone
	notes      map[string][]string // what is wrong, by topic; sentences
	needs      needs               // of the engine, when its unit was defined
	booted     bool
	goingDown  string // the action, once a shutdown has begun
	engine     string // version, once it has answered
}

// runner adapts the containerd client to the supervisor.
type runner struct{ *ctrd.Client }

func (r runner) Start(ctx context.Context, u unit.Unit) (supervise.Process, error) {
	p, err := r.Client.Start(ctx, u)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (r runner) Adopt(ctx context.Context, u unit.Unit) (supervise.Process, bool, error) {
	p, ok, err := r.Client.Adopt(ctx, u)
	if err != nil || !ok {
		return nil, false, err
	}
	return p, true, nil
}

// Run is rosd: it boots the machine, keeps it, and returns after an ordered
// shutdown or when ctx ends (then containers go on running).
func Run(ctx context.Context, version string) error {
	// While everybody waits, no garbage is collected below this; from ready on
	// memory is worth more than cycles (quietGC).
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(bootHeap)
	// For configuration that comes by HTTPS. Go reads the file at the first
	// such connection, and stepConfig has written it by then.
	if err := os.Setenv("SSL_CERT_FILE", engine.CertFile); err != nil {
		return fmt.Errorf("environment: %w", err)
	}
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	m, closeAll, err := build(version, quit)
	if err != nil {
		return err
	}
	defer closeAll()
	return m.run(ctx)
}

// bootHeap is what rosd may take before it first collects garbage, in bytes.
const bootHeap = 64 << 20

// quietGC is for a manager that idles nearly always.
func quietGC() {
	debug.SetGCPercent(50)
	debug.SetMemoryLimit(math.MaxInt64)
	debug.FreeOSMemory()
}

// build puts the manager together; nothing runs yet.
func build(version string, quit context.CancelFunc) (*Manager, func(), error) {
	if err := os.MkdirAll(filepath.Join(runDir, "logs"), 0o755); err != nil {
		return nil, nil, err
	}
	var kmsg io.Writer = os.Stderr
	if k, err := logging.OpenKmsg("/dev/kmsg"); err == nil {
		kmsg = k
	}
	ring := logging.NewRing("system", 256<<10)
	log := slog.New(logging.NewHandler(kmsg, ring, slog.LevelInfo, "rosd"))
	component := func(name string) *slog.Logger { return log.With("component", name) }

	m := &Manager{
		version: version, log: component("manager"), clock: newClock(), quit: quit,
		console: logging.NewConsole("/sys/class/tty/console/active", "/dev"),
		book: logging.NewBook(logging.Options{System: ring, UnitDir: filepath.Join(runDir, "logs"),
			Kmsg: "/dev/kmsg", Tag: "rosd", Log: component("logging")}),
		machine:  services.Machine{RAM: memTotal(), CPUs: runtime.NumCPU()},
		looks:    looks{file: filepath.Join(runDir, "looks.json")},
		launched: supervise.NewGate("the engine and the console to be ready first"),
		units:    map[string]*supervise.Gate{}, notes: map[string][]string{},
		modules: sync.OnceValues(func() (*modules.Loader, error) { return modules.OpenRunning(linux.FinitModule) }),
	}
	m.settings = m.newSettings()
	m.sys = os.DirFS("/sys")
	m.media = func() load.Devices { return media{sync.OnceValues(m.disks), "/sys", m.log} }
	m.imds = newIMDS(imds.Options{Log: component("datasource")}, m.upLinks)
	if b, err := os.ReadFile("/proc/cmdline"); err == nil {
		m.cmdline = string(b)
	}
	if b, err := os.ReadFile(filepath.Join(runDir, "boot.json")); err == nil {
		if err := json.Unmarshal(b, &m.boot); err != nil {
			m.log.Warn("record of stage 1", "error", err)
		}
	}
	var err error
	if m.init, err = openInitLink(component("init")); err != nil {
		return nil, nil, err
	}
	kernel, err := rtnl.Open(component("rtnl"))
	if err != nil {
		return nil, nil, err
	}
	m.machine.Wifi = hasWifi()
	m.wifi, m.wifiUp = wifi.New(wifi.Dir, wifi.Driver, func(link, why string) { m.net.Radio(link, why) }), make(chan struct{}, 1)
	m.swarmAgain = make(chan struct{}, 1)
	m.arrivals = make(chan []setup.Arrival, 1)
	m.chrony, m.timesAgain = chrony.New(chrony.Socket, chrony.SourceDir), make(chan struct{}, 1)
	m.names = resolv.New(filepath.Join(runDir, "etc"), func(name string) error { return unix.Sethostname([]byte(name)) })
	m.net = m.newNetwork(kernel, component)
	m.containerd = &daemon{
		path: "/usr/bin/containerd", socket: containerdSocket, cgroup: "system/containerd", oom: -999,
		logFile: logging.LogPath(filepath.Join(runDir, "logs"), "containerd"),
		args:    []string{"--address", containerdSocket, "--root", containerdDir + "/root", "--state", containerdDir + "/state", "--shim-sockets", containerdDir + "/s"},
		up:      supervise.NewGate("the system containerd to answer"), log: component("containerd"),
	}
	if m.containers, err = ctrd.New(ctrd.Options{Address: containerdSocket, State: containerdDir + "/state", RuncRoot: containerdDir + "/runc", Paths: ctrd.DefaultPaths(), Log: component("containerd")}); err != nil {
		return nil, nil, err
	}
	m.sup = supervise.New(supervise.Options{
		Runner: onTree{runner{m.containers}, m.lendTree}, Condition: m.condition, OnEvent: m.onEvent, Log: component("supervise"),
	})
	if m.graph, err = supervise.NewGraph(component("boot"), m.bootSteps()); err != nil {
		return nil, nil, err
	}
	return m, func() {
		if err := errors.Join(m.containers.Close(), kernel.Close()); err != nil {
			m.log.Warn("connections were not closed", "error", err)
		}
	}, nil
}

// hideContainers keeps what containerd mounts for its containers out of the
// binds of /run, the console's for instance.
func hideContainers() error {
	mounts, err := linux.Mounts()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(mounts, func(m linux.MountInfo) bool { return m.Target == containerdDir }) {
		return nil // by an earlier manager
	}
	if err := os.MkdirAll(containerdDir, 0o711); err != nil {
		return err
	}
	if err := linux.Mount(containerdDir, containerdDir, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	return linux.Propagate(containerdDir, unix.MS_UNBINDABLE)
}

const (
	containerdDir    = runDir + "/containerd"
	containerdSocket = containerdDir + "/containerd.sock"
)

func (m *Manager) run(ctx context.Context) error {
	m.log.Info("manager started", "version", m.version, "slot", m.boot.Slot, "source", m.boot.Source)
	m.reach("manager")
	if err := raiseFileLimit(); err != nil {
		m.log.Warn("cannot raise the limit of open files", "error", err)
	}
	if err := hideContainers(); err != nil {
		m.log.Warn("the roots of containers show up in the console", "error", err)
	}
	l, err := control.Listen(api.Socket, controlGroup)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	var wg sync.WaitGroup
	for name, run := range map[string]func(context.Context) error{
		"control":     func(ctx context.Context) error { return control.Serve(ctx, l, m, m.log) },
		"log book":    m.book.Run,
		"network":     m.net.Run,
		"timeservers": m.watchTimeServers,
		"wifi":        m.watchWifi,
		"swarm":       m.watchSwarm,
		"mounts":      m.watchArrivals,
		"supervisor":  m.sup.Run,
		"state":       m.watchState,
		"containerd":  func(ctx context.Context) error { m.containerd.run(ctx); return nil },
		"init": func(ctx context.Context) error {
			// The heartbeat goes through the supervisor's locks: a manager
			// that is stuck in them must not look alive.
			m.init.run(ctx, func() { m.sup.List() }, func(action string) { m.Shutdown(action, false) })
			return nil
		},
		"online":  func(ctx context.Context) error { m.watchOnline(ctx); return nil },
		"console": func(ctx context.Context) error { m.watchSetup(ctx); return nil },
	} {
		wg.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				m.log.Error("part of the manager ended", "part", name, "error", err)
				m.note(name, fmt.Sprintf("%s: %v", name, err))
			}
		})
	}
	m.graph.Run(ctx)
	wg.Wait()
	return nil
}

// memTotal is the machine's memory in bytes.
func memTotal() int64 {
	var si unix.Sysinfo_t
	if err := unix.Sysinfo(&si); err != nil {
		return 0
	}
	return int64(si.Totalram) * int64(si.Unit)
}
