package console

import (
	"context"
	"net/http"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// ServerInfo is what the server page tells about this process.
type ServerInfo struct {
	Version   string // of this program
	GoVersion string
	Platform  string // "linux/amd64"
	Node      string // the node's name
	Host      string // the machine's name
	PID       int
	Started   time.Time
	Addresses []string // where it listens, "https 127.0.0.1:9444"
	Stores    []StoreInfo

	Heap, Resident int64 // bytes: of the Go heap, and of the whole process; 0 when not known
	Goroutines     int
	ConfigFile     string // "" when there is none: defaults and environment
	Config         string // the configuration in force, as YAML; secrets are masked
}

// StoreInfo is the state of one store.
type StoreInfo struct {
	Name     string
	Dialect  string // "sqlite", "mysql"
	Database string // the database server's product and version
	Location string // file, or host and database; never a password
	Schema   int64  // version of the tables; 0 when unknown
	Error    string // "" when the store answers
	Latency  time.Duration
}

// serverTimeout bounds how long the page waits for the stores.
const serverTimeout = 3 * time.Second

// serverView is what the server page shows.
type serverView struct {
	nodeView
	Info   ServerInfo
	Mounts []registry.Mount
	Limit  int64 // bytes of one content
}

func (c *console) server(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	view, err := c.Service.ServerView(a)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), serverTimeout)
	defer cancel()
	f := c.frame(r, a, c.say("Server"))
	f.Section = "server"
	f.Page = serverView{nodeView: c.nodeOf(r, "server", "/console/server"), Info: c.Server(ctx), Mounts: view.Mounts, Limit: view.ContentLimit}
	return c.render(w, http.StatusOK, "server", f)
}
