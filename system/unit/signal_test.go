package unit

import "testing"

func TestSignal(t *testing.T) {
	for name, want := range map[string]int{
		"SIGTERM": 15, "SIGKILL": 9, "SIGRTMIN": 34, "SIGRTMIN+3": 37, "SIGRTMIN+30": 64,
		"": 0, "TERM": 0, "SIGNONE": 0, "SIGRTMIN+31": 0, "SIGRTMIN-1": 0, "SIGRTMINx": 0,
	} {
		got, err := Signal(name)
		if int(got) != want || (err == nil) != (want != 0) {
			t.Errorf("Signal(%q) = %d, %v; want %d", name, got, err, want)
		}
	}
}
