package main

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"

	_ "modernc.org/sqlite"
)

// sqliteQueue is a claim–ack queue as it is made on SQLite: a row per record,
// a state that says who may claim it, one connection, since SQLite has one
// writer. Rows stay, as the journal's entries do.
type sqliteQueue struct {
	*committer
	db *sql.DB
}

const (
	sqlCreate = `CREATE TABLE q (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, attempts INTEGER NOT NULL, answer TEXT, body BLOB NOT NULL);
		CREATE INDEX waiting ON q (id) WHERE state = 0`
	sqlPush  = `INSERT INTO q (state, attempts, body) VALUES (0, 0, ?)`
	sqlClaim = `UPDATE q SET state = 1, attempts = attempts + 1
		WHERE id IN (SELECT id FROM q INDEXED BY waiting WHERE state = 0 ORDER BY id LIMIT ?) RETURNING id, body`
	sqlAck = `UPDATE q SET state = 2, answer = ? WHERE id = ?`
)

func openSQLite(dir string, writers int) (appender, error) {
	q, err := newSQLite(dir, writers)
	if err != nil {
		return nil, err
	}
	return q, nil
}

func newSQLite(dir string, writers int) (*sqliteQueue, error) {
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(dir, "sqlite"))+"?"+pragmas.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(sqlCreate); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	var mode string
	var sync int
	err = errors.Join(db.QueryRow("PRAGMA journal_mode").Scan(&mode), db.QueryRow("PRAGMA synchronous").Scan(&sync))
	if err == nil && (mode != "wal" || sync != 2) {
		err = errors.New("SQLite: journal_mode=WAL, synchronous=FULL did not take")
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	q := &sqliteQueue{db: db}
	q.committer = newCommitter(writers, q.push)
	return q, nil
}

func (q *sqliteQueue) Close() error {
	q.end()
	return q.db.Close()
}

// transact runs fn in one transaction.
func (q *sqliteQueue) transact(fn func(*sql.Tx) error) error {
	tx, err := q.db.Begin()
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (q *sqliteQueue) push(records [][]byte) error {
	return q.transact(func(tx *sql.Tx) error {
		insert, err := tx.Prepare(sqlPush)
		if err != nil {
			return err
		}
		defer func() { _ = insert.Close() }()
		for _, rec := range records {
			if _, err := insert.Exec(rec); err != nil {
				return err
			}
		}
		return nil
	})
}

// exchange acknowledges done and claims up to n more, in one transaction.
func (q *sqliteQueue) exchange(done []int64, n int) (claimed []int64, err error) {
	err = q.transact(func(tx *sql.Tx) error {
		ack, err := tx.Prepare(sqlAck)
		if err != nil {
			return err
		}
		defer func() { _ = ack.Close() }()
		for _, id := range done {
			if _, err := ack.Exec("00", id); err != nil {
				return err
			}
		}
		if n == 0 {
			return nil
		}
		claimed, err = claim(tx, n)
		return err
	})
	return claimed, err
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func claim(on querier, n int) (ids []int64, err error) {
	rows, err := on.QueryContext(context.Background(), sqlClaim, n)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id int64
		var body []byte
		if err := rows.Scan(&id, &body); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// sqliteEachLife has every worker push, claim and acknowledge for itself, each
// step a transaction: how such a queue is used.
type sqliteEachLife struct{ *sqliteQueue }

func (q sqliteEachLife) Live(ops int) error {
	return eachWriter(lifeWriters, ops, func(n int) error {
		if _, err := q.db.Exec(sqlPush, newRecord(n)); err != nil {
			return err
		}
		ids, err := claim(q.db, 1)
		if err != nil {
			return err
		}
		if len(ids) != 1 {
			return errLost
		}
		_, err = q.db.Exec(sqlAck, "00", ids[0])
		return err
	})
}

var errLost = errors.New("SQLite: nothing to claim")

// sqliteManyLife gives the SQLite queue all the grouping that tallystick has:
// pushes of many writers in one transaction, and in another one the answers of
// a window with the claims of the next.
type sqliteManyLife struct{ *sqliteQueue }

func (q sqliteManyLife) Live(ops int) error {
	more := make(chan struct{}, 1)
	pushed := make(chan error, 1)
	go func() {
		pushed <- eachWriter(lifeWriters, ops, func(n int) error {
			err := q.Append(n, newRecord(n))
			select {
			case more <- struct{}{}:
			default:
			}
			return err
		})
	}()
	all := false
	var claimed []int64
	for answered := 0; answered < ops; {
		done := claimed
		var err error
		if claimed, err = q.exchange(done, lifeWriters); err != nil {
			return err
		}
		if answered += len(done); len(claimed) > 0 || answered == ops {
			continue
		}
		if all {
			return errLost
		}
		select {
		case <-more:
		case err := <-pushed:
			if err != nil {
				return err
			}
			all = true
		}
	}
	return nil
}
