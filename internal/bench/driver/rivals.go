package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// etcdClient uses etcd over gRPC. All clients share one connection: that is the cheapest form.
type etcdClient struct {
	options
	kv        clientv3.KV
	revisions map[int]int64
}

func etcdClients(o options) ([]client, error) {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{o.addr}, Logger: zap.NewNop()})
	if err != nil {
		return nil, err
	}
	var all []client
	for range o.clients {
		all = append(all, &etcdClient{options: o, kv: c, revisions: map[int]int64{}})
	}
	return all, nil
}

func (c *etcdClient) prime(ctx context.Context, keys []int) error {
	if c.op != "cas" {
		return nil
	}
	for _, k := range keys {
		r, err := c.kv.Get(ctx, etcdKey(k))
		if err != nil {
			return err
		}
		if len(r.Kvs) != 1 {
			return fmt.Errorf("key %s is not there", etcdKey(k))
		}
		c.revisions[k] = r.Kvs[0].ModRevision
	}
	return nil
}

func (c *etcdClient) do(ctx context.Context, key int) error {
	k := etcdKey(key)
	switch c.op {
	case "get":
		r, err := c.kv.Get(ctx, k) // linearizable
		if err == nil && (len(r.Kvs) != 1 || len(r.Kvs[0].Value) != c.size) {
			err = fmt.Errorf("get %s: %d values", k, len(r.Kvs))
		}
		return err
	case "list":
		from := fmt.Sprintf("bench/d%03d/", key/perFolder)
		r, err := c.kv.Get(ctx, from, clientv3.WithPrefix(), clientv3.WithKeysOnly())
		if err == nil && len(r.Kvs) != perFolder {
			err = fmt.Errorf("list %s: %d keys", from, len(r.Kvs))
		}
		return err
	case "put", "fill":
		_, err := c.kv.Put(ctx, k, string(value(c.size)))
		return err
	case "cas":
		r, err := c.kv.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(k), "=", c.revisions[key])).
			Then(clientv3.OpPut(k, string(value(c.size)))).Commit()
		if err != nil {
			return err
		}
		if !r.Succeeded {
			return fmt.Errorf("cas %s: refused", k)
		}
		c.revisions[key] = r.Header.Revision
		return nil
	}
	return errors.New("op " + c.op + " is not known")
}

// mysqlClient reads and writes rows of a table by statements alone: the least that a database does for a read or a write.
type mysqlClient struct {
	options
	db *sql.DB
}

func mysqlClients(o options) ([]client, error) {
	cfg, err := mysql.ParseDSN(o.addr)
	if err != nil {
		return nil, err
	}
	cfg.InterpolateParams = true
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(o.clients)
	db.SetMaxIdleConns(o.clients)
	if o.op == "fill" {
		if _, err := db.Exec("CREATE TABLE raw (id INT PRIMARY KEY, v VARBINARY(2000) NOT NULL) ENGINE=InnoDB"); err != nil {
			return nil, err
		}
	}
	var all []client
	for range o.clients {
		all = append(all, &mysqlClient{o, db})
	}
	return all, nil
}

func (c *mysqlClient) prime(context.Context, []int) error { return nil }

func (c *mysqlClient) do(ctx context.Context, key int) error {
	switch c.op {
	case "get":
		var v []byte
		err := c.db.QueryRowContext(ctx, "SELECT v FROM raw WHERE id = ?", key).Scan(&v)
		if err == nil && len(v) != c.size {
			err = fmt.Errorf("row %d has %d bytes", key, len(v))
		}
		return err
	case "put":
		_, err := c.db.ExecContext(ctx, "UPDATE raw SET v = ? WHERE id = ?", value(c.size), key)
		return err
	case "fill":
		_, err := c.db.ExecContext(ctx, "INSERT INTO raw (id, v) VALUES (?, ?)", key, value(c.size))
		return err
	}
	return errors.New("op " + c.op + " is not known")
}
