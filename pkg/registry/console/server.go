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
	ServerInfo
	Mounts []registry.Mount
	Limit  int64 // bytes of one content
}

func (c *console) server(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := needs(a, registry.GrantServer, "see the server"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), serverTimeout)
	defer cancel()
	f := c.frame(r, a, "Server")
	f.Section = "server"
	f.Page = serverView{ServerInfo: c.Server(ctx), Mounts: c.Service.Mounts().All(), Limit: c.Service.ContentLimit()}
	return c.render(w, http.StatusOK, "server", f)
}
