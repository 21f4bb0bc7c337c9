package member

import "sync"

// queue is a channel whose sender never waits.
type queue[T any] struct {
	out   chan T
	mu    sync.Mutex
	items []T           // put, not yet on their way out
	ended bool          // nothing more will be put
	ready chan struct{} // one token when items or ended changed
}

func newQueue[T any]() *queue[T] {
	return &queue[T]{out: make(chan T), ready: make(chan struct{}, 1)}
}

func (q *queue[T]) put(items ...T) {
	q.mu.Lock()
	q.items = append(q.items, items...)
	q.mu.Unlock()
	q.wake()
}

// end closes out once everything put has been taken.
func (q *queue[T]) end() {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	q.wake()
}

func (q *queue[T]) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// run moves what is put to out until the end, or until stop is closed. It
// closes out.
func (q *queue[T]) run(stop <-chan struct{}) {
	defer close(q.out)
	for {
		q.mu.Lock()
		items, ended := q.items, q.ended
		q.items = nil
		q.mu.Unlock()
		for _, v := range items {
			select {
			case q.out <- v:
			case <-stop:
				return
			}
		}
		if ended {
			return
		}
		select {
		case <-q.ready:
		case <-stop:
			return
		}
	}
}
