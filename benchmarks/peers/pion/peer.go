package main

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"log"
	"os"
	"sync"

	"github.com/pion/webrtc/v4"
)

const (
	highWater = 1 << 20
	lowWater  = 1 << 18
)

type object = map[string]any

// command is the union of all commands' arguments.
type command struct {
	ID        int                      `json:"id"`
	Cmd       string                   `json:"cmd"`
	PC        string                   `json:"pc"`
	Channel   string                   `json:"channel"`
	Incoming  string                   `json:"incoming"`
	Mode      string                   `json:"mode"`
	Gather    bool                     `json:"gather"`
	Restart   bool                     `json:"restart"`
	SDP       string                   `json:"sdp"`
	Label     string                   `json:"label"`
	Text      *string                  `json:"text"`
	Data      []byte                   `json:"data"`
	Size      int                      `json:"size"`
	Total     int                      `json:"total"`
	Bytes     int                      `json:"bytes"`
	Candidate *webrtc.ICECandidateInit `json:"candidate"`
	Options   *webrtc.DataChannelInit  `json:"options"`
	Name      string                   `json:"name"`
	Codec     string                   `json:"codec"`
	Codecs    []string                 `json:"codecs"`
	Direction string                   `json:"direction"`
	Associate bool                     `json:"associate"`
	Rid       string                   `json:"rid"`
	Rids      []string                 `json:"rids"`
	Duration  float64                  `json:"duration"`
}

type channel struct {
	connection *connection
	name       string
	dc         *webrtc.DataChannel
	room       chan struct{}

	mutex    sync.Mutex
	grown    *sync.Cond
	mode     string
	digest   hash.Hash
	bytes    int
	messages int
}

type connection struct {
	name     string
	pc       *webrtc.PeerConnection
	mutex    sync.Mutex
	channels map[string]*channel
	outgoing map[string]*outgoing
}

var (
	output      = json.NewEncoder(os.Stdout)
	outputMutex sync.Mutex
)

func emit(message object) {
	outputMutex.Lock()
	defer outputMutex.Unlock()
	if err := output.Encode(message); err != nil {
		os.Exit(1) // nobody listens any more
	}
}

func (c *connection) add(name string, dc *webrtc.DataChannel, mode string, announce bool) *channel {
	added := &channel{connection: c, name: name, dc: dc, mode: mode, digest: sha256.New(), room: make(chan struct{}, 1)}
	added.grown = sync.NewCond(&added.mutex)
	c.mutex.Lock()
	if name == "" {
		added.name = fmt.Sprintf("in%d", len(c.channels))
	}
	c.channels[added.name] = added
	c.mutex.Unlock()
	if announce {
		added.emit("channel", object{
			"label": dc.Label(), "protocol": dc.Protocol(), "ordered": dc.Ordered(), "negotiated": dc.Negotiated(),
			"maxRetransmits": dc.MaxRetransmits(), "maxPacketLifeTime": dc.MaxPacketLifeTime(), "id": dc.ID(),
		})
	}
	dc.SetBufferedAmountLowThreshold(lowWater)
	dc.OnBufferedAmountLow(func() {
		select {
		case added.room <- struct{}{}:
		default:
		}
	})
	dc.OnMessage(added.take)
	dc.OnClose(func() { added.emit("close", object{}) })
	dc.OnOpen(func() { added.emit("open", object{"id": dc.ID()}) })
	return added
}

func (c *channel) emit(event string, more object) {
	more["event"], more["pc"], more["channel"] = event, c.connection.name, c.name
	emit(more)
}

func (c *channel) send(data []byte, text bool) error {
	if text {
		return c.dc.SendText(string(data))
	}
	return c.dc.Send(data)
}

func (c *channel) take(message webrtc.DataChannelMessage) {
	c.mutex.Lock()
	mode := c.mode
	if mode == "collect" {
		c.digest.Write(message.Data)
		c.bytes += len(message.Data)
		c.messages++
		c.grown.Broadcast()
	}
	c.mutex.Unlock()
	switch {
	case mode == "echo":
		if err := c.send(message.Data, message.IsString); err != nil {
			c.emit("error", object{"error": err.Error()})
		}
	case mode == "report" && message.IsString:
		c.emit("message", object{"text": string(message.Data)})
	case mode == "report":
		c.emit("message", object{"data": message.Data})
	}
}

func (c *channel) received(bytes int) object {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for c.bytes < bytes {
		c.grown.Wait()
	}
	result := object{"bytes": c.bytes, "messages": c.messages, "sha256": hex.EncodeToString(c.digest.Sum(nil))}
	c.digest.Reset()
	c.bytes, c.messages = 0, 0
	return result
}

func (c *channel) pour(size, total int) (object, error) {
	digest := sha256.New()
	messages := 0
	for sent := 0; sent < total; sent += size {
		message := make([]byte, smaller(size, total-sent))
		rand.Read(message)
		digest.Write(message)
		for c.dc.BufferedAmount() > highWater {
			<-c.room
		}
		if err := c.dc.Send(message); err != nil {
			return nil, err
		}
		messages++
	}
	return object{"bytes": total, "messages": messages, "sha256": hex.EncodeToString(digest.Sum(nil))}, nil
}

func openConnection(name, incoming string) (*connection, error) {
	options, err := withMedia()
	if err != nil {
		return nil, err
	}
	pc, err := newConnection(options...)
	if err != nil {
		return nil, err
	}
	opened := &connection{name: name, pc: pc, channels: map[string]*channel{}, outgoing: map[string]*outgoing{}}
	pc.OnTrack(opened.receive)
	pc.OnICECandidate(func(candidate *webrtc.ICECandidate) {
		var described any
		if candidate != nil {
			described = candidate.ToJSON()
		}
		emit(object{"event": "candidate", "pc": name, "candidate": described})
	})
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		emit(object{"event": "state", "pc": name, "connection": state.String()})
	})
	pc.OnICEConnectionStateChange(func(state webrtc.ICEConnectionState) {
		emit(object{"event": "ice", "pc": name, "ice": state.String()})
	})
	pc.OnDataChannel(func(dc *webrtc.DataChannel) { opened.add("", dc, incoming, true) })
	return opened, nil
}

func (c *connection) described(description webrtc.SessionDescription, gather bool) (object, error) {
	complete := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(description); err != nil {
		return nil, err
	}
	if gather {
		<-complete
	}
	local := c.pc.LocalDescription()
	return object{"type": local.Type.String(), "sdp": local.SDP}, nil
}

type peer struct {
	mutex       sync.Mutex
	connections map[string]*connection
}

func (p *peer) run(args command) (object, error) {
	if args.Mode == "" {
		args.Mode = "report"
	}
	if args.Incoming == "" {
		args.Incoming = "report"
	}
	if args.Cmd == "open" {
		opened, err := openConnection(args.PC, args.Incoming)
		if err != nil {
			return nil, err
		}
		p.mutex.Lock()
		p.connections[args.PC] = opened
		p.mutex.Unlock()
		return object{}, nil
	}
	p.mutex.Lock()
	c := p.connections[args.PC]
	p.mutex.Unlock()
	if c == nil {
		return nil, fmt.Errorf("no connection %q", args.PC)
	}
	if result, err, done := c.runMedia(args); done {
		return result, err
	}
	switch args.Cmd {
	case "offer":
		offer, err := c.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: args.Restart})
		if err != nil {
			return nil, err
		}
		return c.described(offer, args.Gather)
	case "answer":
		if args.SDP != "" {
			offer := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: args.SDP}
			if err := c.pc.SetRemoteDescription(offer); err != nil {
				return nil, err
			}
		}
		answer, err := c.pc.CreateAnswer(nil)
		if err != nil {
			return nil, err
		}
		return c.described(answer, args.Gather)
	case "accept":
		return object{}, c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: args.SDP})
	case "candidate":
		if args.Candidate == nil {
			args.Candidate = &webrtc.ICECandidateInit{}
		}
		return object{}, c.pc.AddICECandidate(*args.Candidate)
	case "channel":
		dc, err := c.pc.CreateDataChannel(args.Label, args.Options)
		if err != nil {
			return nil, err
		}
		c.add(args.Channel, dc, args.Mode, false)
		return object{}, nil
	case "stats":
		stats := []webrtc.Stats{}
		for _, entry := range c.pc.GetStats() {
			stats = append(stats, entry)
		}
		return object{"stats": stats}, nil
	case "close":
		p.mutex.Lock()
		delete(p.connections, args.PC)
		p.mutex.Unlock()
		return object{}, c.pc.Close()
	}
	c.mutex.Lock()
	target := c.channels[args.Channel]
	c.mutex.Unlock()
	if target == nil {
		return nil, fmt.Errorf("no channel %q for %q", args.Channel, args.Cmd)
	}
	switch args.Cmd {
	case "send":
		if args.Text != nil {
			return object{}, target.send([]byte(*args.Text), true)
		}
		return object{}, target.send(args.Data, false)
	case "mode":
		target.mutex.Lock()
		target.mode = args.Mode
		target.mutex.Unlock()
		return object{}, nil
	case "pour":
		return target.pour(args.Size, args.Total)
	case "received":
		return target.received(args.Bytes), nil
	case "close_channel":
		return object{}, target.dc.Close()
	}
	return nil, fmt.Errorf("no such command here: %q", args.Cmd)
}

// waits says which commands last until the network has done something: they must not hold up the others.
func waits(cmd string) bool {
	return cmd == "offer" || cmd == "answer" || cmd == "pour" || cmd == "received"
}

func servePeer() {
	p := &peer{connections: map[string]*connection{}}
	answer := func(args command) {
		result, err := p.run(args)
		if err != nil {
			result = object{"error": err.Error()}
		}
		if args.ID != 0 {
			result["id"] = args.ID
			emit(result)
		} else if err != nil {
			log.Print(args.Cmd, ": ", err) // nobody waits for an answer
		}
	}
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var args command
		if err := json.Unmarshal(line, &args); err != nil {
			emit(object{"id": args.ID, "error": err.Error()})
		} else if waits(args.Cmd) {
			go answer(args)
		} else {
			answer(args)
		}
	}
}

func smaller(a, b int) int {
	if a < b {
		return a
	}
	return b
}
