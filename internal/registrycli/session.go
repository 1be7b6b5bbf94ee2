package registrycli

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// Environment variables.
const (
	envURL          = "REGISTRY_URL"
	envUser         = "REGISTRY_USER"
	envPassword     = "REGISTRY_PASSWORD"
	envPasswordFile = "REGISTRY_PASSWORD_FILE"
	envToken        = "REGISTRY_TOKEN"
	envTokenFile    = "REGISTRY_TOKEN_FILE"
	envCAFile       = "REGISTRY_CA_FILE"
)

// Variables are the environment variables of this package. They begin like those of a node's configuration, and are none.
func Variables() []string {
	return []string{envURL, envUser, envPassword, envPasswordFile, envToken, envTokenFile, envCAFile}
}

// session is one run of a verb: its streams, the flags that all verbs have, and the server that it speaks with.
type session struct {
	Streams
	environ map[string]string

	url, user, passwordFile, tokenFile, caFile string
	insecure, json, quiet                      bool
}

func newSession(environ []string, std Streams) *session {
	s := &session{Streams: std, environ: map[string]string{}}
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok {
			s.environ[name] = value
		}
	}
	return s
}

// flags defines what all verbs have.
func (s *session) flags(f *flag.FlagSet) {
	f.StringVar(&s.url, "url", "", "the `URL` of the registry; "+envURL+", or that of the last login, when not given")
	f.StringVar(&s.user, "user", "", "the user's `name`; "+envUser+", or that of the login, when not given")
	f.StringVar(&s.passwordFile, "password-file", "", "a `file` whose first line is the password, - for standard input; "+envPassword+" or "+envPasswordFile+" when not given")
	f.StringVar(&s.tokenFile, "token-file", "", "a `file` whose first line is an API token, to sign in with in place of a password; "+envToken+" or "+envTokenFile+" when not given")
	f.StringVar(&s.caFile, "ca-file", "", "a `file` of certificates (PEM) to trust beside those of the system; "+envCAFile+" when not given")
	f.BoolVar(&s.insecure, "insecure-http", false, "send the password over plain HTTP to another machine: whoever is on the way can read it")
	f.BoolVar(&s.json, "json", false, "print JSON")
	f.BoolVar(&s.quiet, "q", false, "print no progress and no word of success")
}

// server is where a registry is and what to sign in with; login stores it.
type server struct {
	URL          string `json:"url"`
	User         string `json:"user"`
	Password     string `json:"password,omitempty"`
	Token        string `json:"token,omitempty"` // in place of the password
	CAFile       string `json:"ca_file,omitempty"`
	InsecureHTTP bool   `json:"insecure_http,omitempty"`
}

// server puts together what the flags, the environment and the last login say, in this order. What login stored counts for its URL only, and its password for
// its user only: a URL from elsewhere must not be sent what was given to another.
func (s *session) server() (server, error) {
	stored, err := s.load()
	if err != nil {
		return server{}, err
	}
	at := server{URL: cmp.Or(s.url, s.environ[envURL], stored.URL)}
	at.URL = strings.TrimRight(at.URL, "/")
	if at.URL == "" {
		return server{}, usagef("no registry is named: sign in with registry login URL, or give -url or %s", envURL)
	}
	if stored.URL != at.URL {
		stored = server{}
	}
	at.User = cmp.Or(s.user, s.environ[envUser], stored.User)
	at.CAFile = cmp.Or(s.caFile, s.environ[envCAFile], stored.CAFile)
	at.InsecureHTTP = s.insecure || stored.InsecureHTTP
	at.Password, err = s.password()
	if err != nil {
		return server{}, err
	}
	if at.Token, err = s.token(); err != nil {
		return server{}, err
	}
	if at.Password == "" && at.Token == "" && at.User == stored.User {
		at.Password, at.Token = stored.Password, stored.Token
	}
	return at, nil
}

// password is the one that was given for this run, "" for none.
func (s *session) password() (string, error) {
	return s.secret(s.passwordFile, envPassword, envPasswordFile)
}

// token is the API token that was given for this run, "" for none. A password that a flag gives goes before a token in a variable.
func (s *session) token() (string, error) {
	if s.tokenFile == "" && s.passwordFile != "" {
		return "", nil
	}
	return s.secret(s.tokenFile, envToken, envTokenFile)
}

// secret reads what a flag names a file of, or variables have or name a file of.
func (s *session) secret(file, env, envFile string) (string, error) {
	if file == "" {
		if p := s.environ[env]; p != "" {
			return p, nil
		}
		file = s.environ[envFile]
	}
	switch file {
	case "":
		return "", nil
	case "-":
		line, err := readLine(s.In)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read what to sign in with: %w", err)
		}
		return filled(line, "standard input")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read what to sign in with: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return filled(strings.TrimRight(line, "\r"), file)
}

const mostPassword = 4096 // bytes

func filled(password, from string) (string, error) {
	if password == "" {
		return "", fmt.Errorf("the first line of %s is empty; it should be what to sign in with", from)
	}
	return password, nil
}

// connect makes the client for a server, who signs in by an API token when there is one. change, unless nil, changes its configuration.
func (s *session) connect(at server, change func(*client.Config)) (*client.Client, error) {
	credentials := client.Basic(at.User, at.Password)
	if at.Token != "" {
		credentials = client.Bearer(at.Token)
	}
	config := client.Config{
		URL: at.URL, Credentials: credentials, CAFile: at.CAFile, InsecureHTTP: at.InsecureHTTP, UserAgent: "regent-registry-cli",
	}
	if change != nil {
		change(&config)
	}
	c, err := client.New(config)
	switch {
	case errors.Is(err, client.ErrInsecure):
		return nil, usagef("%s, or write -insecure-http", err)
	case err != nil:
		return nil, usagef("%s", err) // nothing has been asked of anybody yet: it is about the URL or the CA file
	}
	return c, nil
}

// client signs in for a verb.
func (s *session) client() (*client.Client, error) { return s.clientWith(nil) }

// clientWith signs in with a configuration that change changes.
func (s *session) clientWith(change func(*client.Config)) (*client.Client, error) {
	at, err := s.server()
	if err != nil {
		return nil, err
	}
	if at.Token == "" && (at.User == "" || at.Password == "") {
		return nil, &client.Error{Code: client.ErrUnauthenticated, Detail: "no user and password for " + at.URL + " are known, and no token"}
	}
	return s.connect(at, change)
}

// say tells people that something was done.
func (s *session) say(format string, args ...any) {
	if !s.quiet && !s.json {
		fmt.Fprintln(s.Err, printable(fmt.Sprintf(format, args...)))
	}
}

// terminal gives the file descriptor of a stream that is a terminal.
func terminal(stream any) (int, bool) {
	f, ok := stream.(*os.File)
	if !ok || !isatty.IsTerminal(f.Fd()) {
		return 0, false
	}
	return int(f.Fd()), true
}
