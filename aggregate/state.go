package aggregate

// State is a checkpoint as its topic has it: the latest value of each key. A
// process that stands by keeps one up to date with Apply.
type State struct {
	latest map[string][]byte
}

// NewState returns a State without any record.
func NewState() *State { return &State{latest: map[string][]byte{}} }

// Apply takes the next record of the topic. It keeps c.Value.
func (s *State) Apply(c Change) {
	if c.Value == nil {
		delete(s.latest, c.Key)
		return
	}
	s.latest[c.Key] = c.Value
}

// Len returns the number of keys.
func (s *State) Len() int { return len(s.latest) }
