// Load for etcd: closed loop, one operation outstanding per client, prints one JSON line.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

func main() {
	endpoint := flag.String("endpoint", "127.0.0.1:2379", "the leader's client address")
	clients := flag.Int("clients", 64, "clients, each with one operation outstanding")
	connections := flag.Int("connections", 64, "connections, shared by the clients in turn")
	seconds := flag.Float64("seconds", 5, "how long")
	mode := flag.String("mode", "write", "write | read")
	keys := flag.Int("keys", 100000, "read: keys to pick from (written by -mode fill)")
	flag.Parse()

	conns := make([]*clientv3.Client, *connections)
	for i := range conns {
		c, err := clientv3.New(clientv3.Config{Endpoints: strings.Split(*endpoint, ","), DialTimeout: 5 * time.Second})
		check(err)
		conns[i] = c
	}
	value := strings.Repeat("x", 100)
	if *mode == "fill" {
		fill(conns[0], *keys, value)
		return
	}
	var wait sync.WaitGroup
	latencies := make([][]float64, *clients)
	errors := make([]int, *clients)
	start := time.Now()
	end := start.Add(time.Duration(*seconds * float64(time.Second)))
	for i := 0; i < *clients; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			client := conns[i%len(conns)]
			random := rand.New(rand.NewSource(int64(i)))
			for n := 0; time.Now().Before(end); n++ {
				before := time.Now()
				var err error
				if *mode == "write" {
					_, err = client.Put(context.Background(), fmt.Sprintf("k%02d%011d", i, n), value)
				} else {
					_, err = client.Get(context.Background(), fmt.Sprintf("r%012d", random.Intn(*keys)))
				}
				if err != nil {
					errors[i]++
					continue
				}
				latencies[i] = append(latencies[i], float64(time.Since(before).Microseconds())/1000)
			}
		}(i)
	}
	wait.Wait()
	elapsed := time.Since(start).Seconds()
	var all []float64
	failed := 0
	for i := range latencies {
		all = append(all, latencies[i]...)
		failed += errors[i]
	}
	sort.Float64s(all)
	at := func(p float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return all[int(float64(len(all)-1)*p)]
	}
	out, _ := json.Marshal(map[string]any{"operations": len(all), "perSecond": float64(len(all)) / elapsed, "p50Ms": at(0.5), "p99Ms": at(0.99), "maxMs": at(1), "errors": failed})
	fmt.Println(string(out))
}

func fill(client *clientv3.Client, keys int, value string) {
	const perTransaction = 100
	for first := 0; first < keys; first += perTransaction {
		var puts []clientv3.Op
		for i := first; i < first+perTransaction && i < keys; i++ {
			puts = append(puts, clientv3.OpPut(fmt.Sprintf("r%012d", i), value))
		}
		_, err := client.Txn(context.Background()).Then(puts...).Commit()
		check(err)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
