package membership

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
)

// Everything here is refused before a socket is opened.
func TestOpen_Refuses(t *testing.T) {
	local := Member{Name: "node1", Domain: "d"}
	for name, tc := range map[string]struct {
		config Config
		want   []string
	}{
		"no name":     {Config{Local: Member{Domain: "d"}}, []string{"name"}},
		"no domain":   {Config{Local: Member{Name: "n"}}, []string{"domain"}},
		"long domain": {Config{Local: Member{Name: "n", Domain: strings.Repeat("d", 256)}}, []string{"domain is 256 bytes", "255"}},
		"long zone": {
			Config{Local: Member{Name: "n", Domain: "d", Zone: strings.Repeat("z", 500)}},
			[]string{"zone is too long (500 bytes)", "limit of 512"},
		},
		"bad id":         {Config{Local: Member{Name: "n", Domain: "d", ID: "x"}}, []string{`id "x"`, "ULID"}},
		"bad port":       {Config{Local: local, BindPort: 70000, PortKey: "group_mgt_port"}, []string{"group_mgt_port: 70000"}},
		"short key":      {Config{Local: local, Keys: [][]byte{make([]byte, 16), make([]byte, 20)}}, []string{"gossip key 2 has 20 bytes", "16, 24 or 32"}},
		"seed, no port":  {Config{Local: local, Seeds: []string{"127.0.0.1"}}, []string{`seed "127.0.0.1"`, "host:port"}},
		"seed, no host":  {Config{Local: local, Seeds: []string{":4321"}}, []string{`seed ":4321"`}},
		"seed, bad port": {Config{Local: local, Seeds: []string{"h:0"}}, []string{`seed "h:0"`, "not a port"}},
		"wildcard bind, no key": {
			Config{Local: local, BindHost: "0.0.0.0"},
			[]string{"bind 0.0.0.0", "gossip_key_file", "insecure_gossip: true"},
		},
		"public bind, no key":      {Config{Local: local, BindHost: "192.0.2.1"}, []string{"bind 192.0.2.1", "gossip_key_file"}},
		"public advertise, no key": {Config{Local: Member{Name: "n", Domain: "d", Host: "192.0.2.1"}, BindHost: "127.0.0.1"}, []string{"advertise 192.0.2.1", "gossip_key_file"}},
		"address with a zone":      {Config{Local: local, BindHost: "fe80::1%lo"}, []string{"fe80::1%lo", "zone"}},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := Open(t.Context(), tc.config)
			if err == nil {
				_ = g.Leave(t.Context())
				t.Fatal("it was opened")
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error = %q, want it to hold %q", err, part)
				}
			}
		})
	}
}

func TestState_Text(t *testing.T) {
	data, err := json.Marshal([]State{StateJoining, StateActive, StateDraining, StateMaintenance})
	if err != nil {
		t.Fatal(err)
	}
	if want := `["joining","active","draining","maintenance"]`; string(data) != want {
		t.Errorf("got %s, want %s", data, want)
	}
	var back []State
	if err := json.Unmarshal(data, &back); err != nil || len(back) != 4 || back[3] != StateMaintenance {
		t.Errorf("back = %v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`["gone"]`), &back); err == nil {
		t.Error("an unknown word was read")
	}
	if _, err := json.Marshal(stateCount); err == nil {
		t.Error("an unknown state was written")
	}
}

func TestRejoiner_LostPeers(t *testing.T) {
	v := newView("self", Member{ID: "0", Domain: "d", Host: "10.0.0.1", Port: 1})
	r := newRejoiner(defaultRejoinInterval, nil, nil, v, newMetrics("d", "membership"))
	r.setSeeds(nil, v.getLocal(), netip.MustParseAddrPort("10.0.0.1:1"), netip.Addr{})
	at := func(kind string, port int) { r.note(change{kind: kind, member: Member{Host: "10.0.0.2", Port: port}}) }
	for port := 1; port <= maxLost+10; port++ {
		at(eventLost, port)
	}
	at(eventLost, maxLost+10) // again
	if len(r.lost) != maxLost || r.lost[0].Port() != 11 {
		t.Errorf("%d addresses are kept, the oldest is %v; want %d, port 11", len(r.lost), r.lost[0], maxLost)
	}
	if asked := r.missing(t.Context()); len(asked) != maxAskedLost {
		t.Errorf("%d lost peers are asked in a round, want %d", len(asked), maxAskedLost)
	}
	for port := 11; port <= maxLost+9; port++ {
		at(eventJoined, port)
	}
	at(eventLeft, maxLost+9)
	if asked := r.missing(t.Context()); len(asked) != 1 || asked[0].Port() != maxLost+10 {
		t.Errorf("asked %v, want only the one that did not come back", asked)
	}
}

func TestRejoiner_OwnAddressBehindWildcard(t *testing.T) {
	local := Member{ID: "0", Domain: "d", Host: "192.0.2.7", Port: 4321}
	r := newRejoiner(defaultRejoinInterval, nil, nil, newView("self", local), newMetrics("d", "membership"))
	seeds, err := parseSeeds([]string{"127.0.0.1:4321", "192.0.2.7:4321", "192.0.2.8:4321", "127.0.0.1:4250"})
	if err != nil {
		t.Fatal(err)
	}
	r.setSeeds(seeds, local, netip.MustParseAddrPort("0.0.0.0:4321"), netip.MustParseAddr("0.0.0.0"))
	if got := strings.Join(r.seedList(), " "); got != "192.0.2.8:4321 127.0.0.1:4250" {
		t.Errorf("seeds that are asked: %s", got)
	}
}

func TestSameFamily(t *testing.T) {
	v4, v6 := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")
	if got := sameFamily([]netip.Addr{v6, v4}, true); len(got) != 1 || got[0] != v4 {
		t.Errorf("got %v", got)
	}
	if got := sameFamily([]netip.Addr{v6}, true); len(got) != 1 {
		t.Errorf("the only address was dropped: %v", got)
	}
}
