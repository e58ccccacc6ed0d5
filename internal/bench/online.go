package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/tallystick/tallystick/internal/boltfile"
	"github.com/tallystick/tallystick/queue"
)

// online is how many commits an online sale costs.
type online struct{ beforeFirstByte, beforeReturn uint64 }

// counting is a host that looks, at the moment of sending, how many commits
// the journal's file has had.
type counting struct {
	approving
	path string
	at   uint64
	err  error
}

func (c *counting) Send(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	c.at, c.err = commits(c.path)
	return c.approving.Send(ctx, e)
}

// measureOnline counts the commits of one sale in a lane that has been used
// before.
func measureOnline(dir string) (o online, err error) {
	own, err := os.MkdirTemp(dir, "online-")
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(own)) }()
	j, err := openJournal(own)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	ctx := context.Background()
	host := &counting{path: journalPath(own)}
	request := func(n int) queue.Transaction {
		t := sale(n)
		t.Approval = ""
		return t
	}
	if _, err := j.q.Do(ctx, host, request(0)); err != nil {
		return o, err
	}
	before, err := commits(host.path)
	if err != nil {
		return o, err
	}
	e, err := j.q.Do(ctx, host, request(1))
	if err != nil {
		return o, err
	}
	if e.State != queue.Accepted {
		return o, fmt.Errorf("the sale is %s", e.State)
	}
	after, err := commits(host.path)
	return online{host.at - before, after - host.at}, errors.Join(err, host.err)
}

// commits is the number of the newest commit in a journal's file.
func commits(path string) (n uint64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	b, err := boltfile.Open(f, info.Size())
	if err != nil {
		return 0, err
	}
	return b.Meta().Txid, nil
}
