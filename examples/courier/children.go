package main

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// child is a process that the day has started: commands a line each go in, its
// lines come out. It ends when its standard input does, so that none outlives
// the day, however that ends.
type child struct {
	name  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines <-chan string // closed when the process has ended and was waited for
	errs  *lastLines
	err   error // of the process, once lines is closed
}

// start starts self again as the named program.
func start(self, name string, args ...string) (*child, error) {
	cmd := exec.Command(self, append([]string{name}, args...)...)
	cmd.SysProcAttr = alone()
	errs := &lastLines{}
	cmd.Stderr = errs
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := make(chan string, 64)
	c := &child{name: name, cmd: cmd, in: in, lines: lines, errs: errs}
	go c.read(out, lines)
	return c, nil
}

// read hands on whole lines. What a killed process has left of a line is not
// one: nobody was told it.
func (c *child) read(out io.Reader, lines chan<- string) {
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			break
		}
		lines <- strings.TrimSuffix(line, "\n")
	}
	c.err = c.cmd.Wait()
	close(lines)
}

// say gives the process a line. It may have died: its lines then end.
func (c *child) say(line string) { fmt.Fprintln(c.in, line) }

// kill kills the process at once: it gets to run nothing more.
func (c *child) kill() { _ = c.cmd.Process.Kill() }

// patience is how long a process may be silent, and how long it may take to end.
const patience = time.Minute

// end asks the process to end, waits for that, and returns how it ended.
func (c *child) end() error {
	c.say("quit")
	_ = c.in.Close()
	timer := time.AfterFunc(patience, c.kill)
	defer timer.Stop()
	for range c.lines {
		continue
	}
	return c.err
}

// abandon kills the process and waits for its end.
func (c *child) abandon() {
	c.kill()
	_ = c.in.Close()
	for range c.lines {
		continue
	}
}

// status is the exit status of a process that has ended by itself.
func (c *child) status() int { return c.cmd.ProcessState.ExitCode() }

// lastLines keeps the end of what a process writes to standard error.
type lastLines struct {
	mu   sync.Mutex
	text []byte
}

const maxErrors = 4 << 10

func (l *lastLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b...)
	if over := len(l.text) - maxErrors; over > 0 {
		l.text = append([]byte(nil), l.text[over:]...)
	}
	return len(b), nil
}

// last is the last line, without the name of the program in front of it.
func (l *lastLines) last(program string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(l.text)), "\n")
	return strings.TrimLeft(strings.TrimPrefix(lines[len(lines)-1], program), ":： ")
}

// all is what was kept.
func (l *lastLines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(string(l.text))
}
