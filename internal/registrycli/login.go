package registrycli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"
)

// login asks for what is missing, tries it, and stores it.
func login(*flag.FlagSet) action {
	return func(ctx context.Context, s *session, args []string) error {
		if len(args) > 0 {
			if s.url != "" {
				return usagef("the URL is given twice")
			}
			s.url = args[0]
		}
		at, err := s.server()
		if err != nil {
			return err
		}
		// A login signs in anew: the stored password is not taken again unless it is typed.
		if at.Password, err = s.password(); err != nil {
			return err
		}
		if at.Token, err = s.token(); err != nil {
			return err
		}
		if s.user == "" && s.environ[envUser] == "" {
			at.User = ""
		}
		if at.CAFile != "" {
			if at.CAFile, err = filepath.Abs(at.CAFile); err != nil {
				return err
			}
		}
		if _, err := s.connect(at, nil); err != nil {
			return err // before anybody types a password
		}
		if err := s.askFor(ctx, &at); err != nil {
			return err
		}
		c, err := s.connect(at, nil)
		if err != nil {
			return err
		}
		who, err := c.Whoami(ctx)
		if err != nil {
			return err
		}
		what := "password"
		if at.Token != "" {
			what, at.User, at.Password = "token", who.Name, ""
		}
		file, err := s.store(at)
		if err != nil {
			return err
		}
		s.say("signed in to %s as %s; the %s is in %s, which only you can read", at.URL, who.Name, what, file)
		return nil
	}
}

// askFor asks at the terminal for the user and the password that nobody gave.
func (s *session) askFor(ctx context.Context, at *server) error {
	if at.Token != "" || at.User != "" && at.Password != "" {
		return nil
	}
	fd, ok := terminal(s.In)
	if !ok {
		return usagef("there is no terminal to ask at: give -user, and -password-file FILE (- for standard input), or -token-file FILE")
	}
	var err error
	if at.User == "" {
		fmt.Fprint(s.Err, "User: ")
		if at.User, err = interruptible(ctx, fd, func() (string, error) { return readLine(s.In) }); err != nil {
			return err
		}
	}
	if at.Password == "" {
		fmt.Fprintf(s.Err, "Password of %s: ", printable(at.User))
		at.Password, err = interruptible(ctx, fd, func() (string, error) {
			b, err := term.ReadPassword(fd)
			return string(b), err
		})
		fmt.Fprintln(s.Err)
	}
	if err == nil && (at.User == "" || at.Password == "") {
		err = errors.New("nothing was typed")
	}
	return err
}

// interruptible reads from a terminal until the context ends; then the terminal is as it was. Nobody takes away the read from who waits in it: the process is about to end.
func interruptible(ctx context.Context, fd int, read func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask at the terminal: %w", err)
	}
	done := make(chan result, 1)
	go func() {
		text, err := read()
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		if r.err != nil && !errors.Is(r.err, io.EOF) {
			return "", fmt.Errorf("read from the terminal: %w", r.err)
		}
		return r.text, nil
	case <-ctx.Done():
		return "", errors.Join(context.Cause(ctx), term.Restore(fd, before))
	}
}

// readLine reads a line byte by byte: what follows it is somebody else's. The line comes without its end, also when io.EOF ended it.
func readLine(r io.Reader) (string, error) {
	var line strings.Builder
	b := make([]byte, 1)
	for line.Len() < mostPassword {
		n, err := r.Read(b)
		switch {
		case n == 1 && b[0] == '\n':
			return strings.TrimSuffix(line.String(), "\r"), nil
		case n == 1:
			line.WriteByte(b[0])
		case err != nil:
			return line.String(), err
		}
	}
	return "", errors.New("the line is too long")
}

func logout(*flag.FlagSet) action {
	return func(_ context.Context, s *session, _ []string) error {
		file, err := s.file()
		if err != nil {
			return err
		}
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		s.say("%s is gone", file)
		return nil
	}
}

// file is where login stores what it was given.
func (s *session) file() (string, error) {
	folder := s.environ["XDG_CONFIG_HOME"]
	if !filepath.IsAbs(folder) { // relative ones are to be ignored, says the XDG specification
		home := s.environ["HOME"]
		if home == "" {
			return "", errors.New("there is no place for the login: neither XDG_CONFIG_HOME nor HOME is set")
		}
		folder = filepath.Join(home, ".config")
	}
	return filepath.Join(folder, "regent", "login.json"), nil
}

// load reads what login stored; a zero value when it stored nothing.
func (s *session) load() (server, error) {
	file, err := s.file()
	if err != nil {
		return server{}, nil //nolint:nilerr // without a place there is no login
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return server{}, nil
	}
	if err != nil {
		return server{}, fmt.Errorf("read the login: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return server{}, fmt.Errorf("%s can be read or changed by others; say chmod 600 %s, and think of changing the password", file, file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return server{}, fmt.Errorf("read the login: %w", err)
	}
	var at server
	if err := json.Unmarshal(text, &at); err != nil {
		return server{}, fmt.Errorf("%s is not what login wrote; sign in again after registry logout", file)
	}
	return at, nil
}

// store writes the login, for its owner alone, whole or not at all.
func (s *session) store(at server) (string, error) {
	file, err := s.file()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", fmt.Errorf("store the login: %w", err)
	}
	text, err := json.MarshalIndent(at, "", "  ") //nolint:gosec // the file is for the password
	if err != nil {
		return "", fmt.Errorf("store the login: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), ".login-*") // with mode 0600
	if err != nil {
		return "", fmt.Errorf("store the login: %w", err)
	}
	_, err = temporary.Write(append(text, '\n'))
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		_ = os.Remove(temporary.Name()) // the failure before it is the one to tell
		return "", fmt.Errorf("store the login: %w", err)
	}
	return file, nil
}

func whoami(*flag.FlagSet) action {
	return func(ctx context.Context, s *session, _ []string) error {
		c, err := s.client()
		if err != nil {
			return err
		}
		who, err := c.Whoami(ctx)
		if err != nil {
			return err
		}
		if s.json {
			return s.writeJSON(who)
		}
		fmt.Fprintln(s.Out, s.shown(who.Name))
		return nil
	}
}
