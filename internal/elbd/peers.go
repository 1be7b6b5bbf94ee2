package elbd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/regent-registry/regent/pkg/membership"
)

// peerFile remembers the gossip addresses of a group in the state folder. Members name ELBs as their well-known
// addresses, and an ELB names nobody; without this file an ELB that restarts would have to wait until members ask again.
type peerFile struct {
	path string
	last []string // what the file holds
}

// maxPeers bounds the file: any one member leads to all others.
const maxPeers = 16

func newPeerFile(stateDir, domain string) *peerFile {
	return &peerFile{path: filepath.Join(stateDir, "peers-"+fileName(domain)+".json")}
}

// fileName keeps a domain's name inside the folder.
func fileName(domain string) string {
	name := []byte(domain)
	for i, c := range name {
		if c == '/' || c == '\\' || c == 0 {
			name[i] = '_'
		}
	}
	return string(name)
}

// load gives the addresses of last time; none if there was no last time.
func (f *peerFile) load() ([]string, error) {
	data, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var addrs []string
	if err := json.Unmarshal(data, &addrs); err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return addrs, nil
}

// save writes the addresses of the snapshot, if they are others than last time. A snapshot with nobody else in it
// changes nothing: those addresses are what is needed then.
func (f *peerFile) save(self string, snapshot []membership.Member) error {
	addrs := []string{}
	for _, m := range snapshot {
		if m.ID != self && len(addrs) < maxPeers {
			addrs = append(addrs, m.Address())
		}
	}
	slices.Sort(addrs)
	if len(addrs) == 0 || slices.Equal(addrs, f.last) {
		return nil
	}
	data, err := json.Marshal(addrs)
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.path+".new", data, 0o600); err != nil {
		return err
	}
	if err := os.Rename(f.path+".new", f.path); err != nil {
		return err
	}
	f.last = addrs
	return nil
}
