package main

import (
	"encoding/binary"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"
	raftwal "github.com/hashicorp/raft-wal"
	"github.com/joncrlsn/dque"
	"github.com/tidwall/wal"
	bolt "go.etcd.io/bbolt"
)

type boltStore struct{ db *bolt.DB }

var boltBucket = []byte("records")

func openBolt(dir string, _ int) (appender, error) {
	db, err := bolt.Open(filepath.Join(dir, "bolt"), 0o600, nil)
	if err != nil {
		return nil, err
	}
	db.MaxBatchDelay = time.Millisecond
	err = db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket(boltBucket)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &boltStore{db}, nil
}

func (b *boltStore) Append(n int, record []byte) error {
	return b.db.Batch(func(tx *bolt.Tx) error {
		return tx.Bucket(boltBucket).Put(binary.BigEndian.AppendUint64(nil, uint64(n)), record)
	})
}

func (b *boltStore) Close() error { return b.db.Close() }

type tidwallLog struct {
	*committer
	log  *wal.Log
	next uint64
}

func openTidwall(dir string, writers int) (appender, error) {
	log, err := wal.Open(filepath.Join(dir, "tidwall"), nil)
	if err != nil {
		return nil, err
	}
	t := &tidwallLog{log: log}
	t.committer = newCommitter(writers, t.write)
	return t, nil
}

func (t *tidwallLog) write(records [][]byte) error {
	var b wal.Batch
	for _, rec := range records {
		t.next++
		b.Write(t.next, rec)
	}
	return t.log.WriteBatch(&b)
}

func (t *tidwallLog) Close() error {
	t.end()
	return t.log.Close()
}

type raftLog struct {
	*committer
	wal  *raftwal.WAL
	next uint64
}

func openRaftWAL(dir string, writers int) (appender, error) {
	w, err := raftwal.Open(dir)
	if err != nil {
		return nil, err
	}
	r := &raftLog{wal: w}
	r.committer = newCommitter(writers, r.write)
	return r, nil
}

func (r *raftLog) write(records [][]byte) error {
	logs := make([]*raft.Log, len(records))
	for i, rec := range records {
		r.next++
		logs[i] = &raft.Log{Index: r.next, Term: 1, Data: rec}
	}
	return r.wal.StoreLogs(logs)
}

func (r *raftLog) Close() error {
	r.end()
	return r.wal.Close()
}

type dqueItem struct{ Record []byte }

type dqueStore struct{ q *dque.DQue }

func openDque(dir string, _ int) (appender, error) {
	q, err := dque.New("dque", dir, 1000, func() any { return &dqueItem{} })
	if err != nil {
		return nil, err
	}
	return &dqueStore{q}, nil
}

func (d *dqueStore) Append(_ int, record []byte) error { return d.q.Enqueue(&dqueItem{record}) }

func (d *dqueStore) Close() error { return d.q.Close() }
