// The Go clients behind the conformance suite: one program, started with the name of a client, that answers the
// suite's requests in JSON lines over stdin and stdout. conformance/clients/remote.py is the other end and says what
// the lines mean.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const patience = 30 * time.Second // for a single question to a broker

// unanswered is the error of a deadline that passed without a word from the broker.
type unanswered string

func (u unanswered) Error() string { return string(u) }

// output writes one line at a time, whoever has one.
type output struct {
	sync.Mutex
	to *bufio.Writer
}

func (o *output) line(what any) {
	text, err := json.Marshal(what)
	if err != nil {
		panic(err)
	}
	o.Lock()
	defer o.Unlock()
	o.to.Write(append(text, '\n'))
	o.to.Flush()
}

// sender is a producer and how many of its messages nobody has reported on.
type sender struct {
	producer
	lock    sync.Mutex
	pending int
	idle    chan struct{} // closed while nothing is pending
}

func (s *sender) began() {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.pending++; s.pending == 1 {
		s.idle = make(chan struct{})
	}
}

func (s *sender) ended() {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.pending--; s.pending == 0 {
		close(s.idle)
	}
}

func (s *sender) wait(ctx context.Context) {
	s.lock.Lock()
	idle := s.idle
	s.lock.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// reader is a consumer that may have a limit, and the positions behind what it handed out.
type reader struct {
	consumer
	limit int // -1: none
}

// program holds what the requests opened, by handle.
type program struct {
	client
	out       *output
	handles   int
	producers map[int]*sender
	consumers map[int]*reader
	admins    map[int]admin
}

func (p *program) handle() int {
	p.handles++
	return p.handles
}

func (p *program) failure(err error) map[string]any {
	var silence unanswered
	if errors.As(err, &silence) || errors.Is(err, context.DeadlineExceeded) {
		return map[string]any{"unanswered": err.Error()}
	}
	return map[string]any{"failed": p.code(err), "detail": err.Error()}
}

// serve answers until the input ends.
func (p *program) serve(input io.Reader) {
	lines := bufio.NewReaderSize(input, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var request struct{ Do string }
		if err := json.Unmarshal(line, &request); err != nil {
			p.out.line(map[string]any{"failed": -1, "detail": err.Error()})
			continue
		}
		if request.Do == "send" {
			p.send(line)
			continue
		}
		verb, known := verbs[request.Do]
		if !known {
			p.out.line(map[string]any{"failed": -1, "detail": "no such verb: " + request.Do})
			continue
		}
		if result, err := verb(p, line); err != nil {
			p.out.line(p.failure(err))
		} else {
			p.out.line(map[string]any{"ok": result})
		}
	}
}

func (p *program) send(line []byte) {
	var args struct {
		Producer int
		message
	}
	err := json.Unmarshal(line, &args)
	sender := p.producers[args.Producer]
	if err == nil && sender == nil {
		err = fmt.Errorf("no producer %d", args.Producer)
	}
	if err != nil {
		p.out.line(map[string]any{"sent": args.Ticket, "failed": -1, "detail": err.Error()})
		return
	}
	sender.began()
	sender.send(args.message)
}

// close ends everything that is still open, each within a second.
func (p *program) close() {
	for _, sender := range p.producers {
		within(time.Second, sender.close)
	}
	for _, reader := range p.consumers {
		within(time.Second, reader.close)
	}
	for _, admin := range p.admins {
		within(time.Second, admin.close)
	}
}

// within lets something that may take long go on in the background after a while.
func within(limit time.Duration, do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(limit):
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func main() {
	clients := map[string]func() client{
		"franz-go": func() client { return franzClient{} },
		"sarama":   func() client { return saramaClient{} },
		"kafka-go": func() client { return segmentioClient{} },
	}
	if len(os.Args) != 2 || clients[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: PROGRAM franz-go|sarama|kafka-go")
		os.Exit(2)
	}
	p := &program{
		client:    clients[os.Args[1]](),
		out:       &output{to: bufio.NewWriter(os.Stdout)},
		producers: map[int]*sender{},
		consumers: map[int]*reader{},
		admins:    map[int]admin{},
	}
	p.serve(os.Stdin)
	p.close()
}
