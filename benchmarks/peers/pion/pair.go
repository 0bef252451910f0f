package main

import (
	"encoding/json"
	"log"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pion/webrtc/v4"
)

const (
	warmUp = 300 * time.Millisecond
	small  = 100
)

// pair is two connections and the two ends of one reliable, ordered channel.
type pair struct {
	left, right *webrtc.PeerConnection
	from, to    *webrtc.DataChannel
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func connect() *pair {
	p := &pair{left: must(newConnection()), right: must(newConnection())}
	trickle := func(from, to *webrtc.PeerConnection) chan struct{} {
		ready := make(chan struct{})
		from.OnICECandidate(func(candidate *webrtc.ICECandidate) {
			<-ready
			if candidate != nil {
				check(to.AddICECandidate(candidate.ToJSON()))
			}
		})
		return ready
	}
	toRight, toLeft := trickle(p.left, p.right), trickle(p.right, p.left)
	arrived := make(chan *webrtc.DataChannel, 1)
	p.right.OnDataChannel(func(dc *webrtc.DataChannel) { dc.OnOpen(func() { arrived <- dc }) })
	p.from = must(p.left.CreateDataChannel("bench", nil))
	opened := make(chan struct{})
	p.from.OnOpen(func() { close(opened) })

	offer := must(p.left.CreateOffer(nil))
	check(p.left.SetLocalDescription(offer))
	check(p.right.SetRemoteDescription(offer))
	close(toRight)
	answer := must(p.right.CreateAnswer(nil))
	check(p.right.SetLocalDescription(answer))
	check(p.left.SetRemoteDescription(answer))
	close(toLeft)
	<-opened
	p.to = <-arrived
	return p
}

func (p *pair) close() {
	check(p.left.Close())
	check(p.right.Close())
}

func cpu() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func resident() int {
	fields := strings.Fields(string(must(os.ReadFile("/proc/self/statm"))))
	return must(strconv.Atoi(fields[1])) * os.Getpagesize()
}

func percentiles(times []time.Duration) (p50, p99 float64) {
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	return times[len(times)/2].Seconds(), times[len(times)*99/100].Seconds()
}

func throughput(size int, window time.Duration) object {
	p := connect()
	var bytes, messages int64
	p.to.OnMessage(func(message webrtc.DataChannelMessage) {
		atomic.AddInt64(&bytes, int64(len(message.Data)))
		atomic.AddInt64(&messages, 1)
	})
	room := make(chan struct{}, 1)
	p.from.SetBufferedAmountLowThreshold(lowWater)
	p.from.OnBufferedAmountLow(func() {
		select {
		case room <- struct{}{}:
		default:
		}
	})
	go func() {
		message := make([]byte, size)
		for {
			for p.from.BufferedAmount() >= highWater {
				<-room
			}
			check(p.from.Send(message))
		}
	}()
	time.Sleep(warmUp)
	began, cpuBefore := time.Now(), cpu()
	bytesBefore, messagesBefore := atomic.LoadInt64(&bytes), atomic.LoadInt64(&messages)
	time.Sleep(window)
	return object{
		"seconds": time.Since(began).Seconds(), "cpu": cpu() - cpuBefore,
		"bytes": atomic.LoadInt64(&bytes) - bytesBefore, "messages": atomic.LoadInt64(&messages) - messagesBefore,
	}
}

func roundtrip(window time.Duration) object {
	p := connect()
	answered := make(chan struct{}, 1)
	p.to.OnMessage(func(message webrtc.DataChannelMessage) { check(p.to.Send(message.Data)) })
	p.from.OnMessage(func(webrtc.DataChannelMessage) { answered <- struct{}{} })
	message := make([]byte, small)
	times := []time.Duration{}
	counted := time.Now().Add(warmUp)
	for sent := time.Now(); sent.Before(counted.Add(window)); sent = time.Now() {
		check(p.from.Send(message))
		<-answered
		if sent.After(counted) {
			times = append(times, time.Since(sent))
		}
	}
	p50, p99 := percentiles(times)
	return object{"count": len(times), "p50": p50, "p99": p99}
}

func connectRepeatedly(window time.Duration) object {
	connect().close()
	times := []time.Duration{}
	began, cpuBefore := time.Now(), cpu()
	for time.Since(began) < window {
		started := time.Now()
		p := connect()
		times = append(times, time.Since(started))
		p.close()
	}
	result := object{"pairs": len(times), "seconds": time.Since(began).Seconds(), "cpu": cpu() - cpuBefore}
	result["p50"], _ = percentiles(times)
	return result
}

func many(count int, window time.Duration) object {
	first := connect() // loads and allocates what is there only once; stays open
	before, began := resident(), time.Now()
	pairs := make([]*pair, count)
	var done sync.WaitGroup
	for i := range pairs {
		done.Add(1)
		go func(i int) {
			defer done.Done()
			pairs[i] = connect()
		}(i)
	}
	done.Wait()
	result := object{"seconds": time.Since(began).Seconds(), "memory": (resident() - before) / count, "pairs": len(pairs)}
	time.Sleep(warmUp)
	idleBegan, cpuBefore := time.Now(), cpu()
	time.Sleep(window)
	result["idle"] = (cpu() - cpuBefore) / time.Since(idleBegan).Seconds()
	first.close()
	return result
}

func runPair(arguments []string) {
	numbers := []float64{}
	for _, argument := range arguments[1:] {
		numbers = append(numbers, must(strconv.ParseFloat(argument, 64)))
	}
	window := time.Duration(numbers[len(numbers)-1] * float64(time.Second))
	scenarios := map[string]func() object{
		"throughput": func() object { return throughput(int(numbers[0]), window) },
		"roundtrip":  func() object { return roundtrip(window) },
		"connect":    func() object { return connectRepeatedly(window) },
		"many":       func() object { return many(int(numbers[0]), window) },
	}
	run, known := scenarios[arguments[0]]
	if !known {
		log.Fatalf("no scenario %q", arguments[0])
	}
	check(json.NewEncoder(os.Stdout).Encode(run()))
}
