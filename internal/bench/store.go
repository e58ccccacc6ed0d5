package main

// appender is one open store. Append returns once the record is on the disk;
// it is called from several goroutines, with n counting from 0.
type appender interface {
	Append(n int, record []byte) error
	Close() error
}

// contender is one kind of store.
type contender struct {
	name string
	how  string // how it is made durable, and how it takes many writers
	open func(dir string, writers int) (appender, error)
}

const (
	raw        = "raw file"
	tallystick = "tallystick"
	boltBatch  = "bbolt Batch"
	tidwall    = "tidwall/wal"
	raftWAL    = "hashicorp/raft-wal"
	dqueue     = "joncrlsn/dque"
	sqlite     = "SQLite"
	sqliteEach = "SQLite queue, a transaction a step"
	sqliteMany = "SQLite queue, grouped"
)

// contenders are all stores that append, the baseline first.
var contenders = []contender{
	{raw, "pre-filled with zeros, one write and one fdatasync a group", openRaw},
	{tallystick, "queue.Append: sealed, indexed, chained; its own group commit", openTallystick},
	{boltBatch, "DB.Batch, MaxBatchDelay 1 ms; one Put of the same size a record", openBolt},
	{tidwall, "synced WriteBatch a group, through the raw file's group committer", openTidwall},
	{raftWAL, "synced StoreLogs a group, through the raw file's group committer", openRaftWAL},
	{dqueue, "Enqueue with turbo off: it takes one record at a time", openDque},
	{sqlite, "WAL, synchronous=FULL; one transaction of INSERTs a group, through the raw file's group committer", openSQLite},
}

// recordSize is the size of the records that raw file and peers write: about
// that of the fields of the sale that tallystick journals.
const recordSize = 256
