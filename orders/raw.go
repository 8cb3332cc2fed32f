package orders

// Raw is an order that refers to the record it was read from: its texts are
// slices of it, valid as long as the record is. It is what who reads millions a
// second works on; [Order] is for everybody else.
type Raw struct {
	ID       []byte
	At       Time
	Shop     []byte
	Shopper  []byte
	Currency []byte
	Amount   int64
	Lines    []RawLine
	From, To *KnownPlace
	MassG    int64

	texts    []byte     // what the fields refer to if the record had to be unescaped
	from, to KnownPlace // likewise
}

// RawLine is a [Line] that refers to the record.
type RawLine struct {
	Product []byte
	Units   int64
	Amount  int64
}

// KnownPlace is a place and, if it comes from the memory of a [Quick], the
// number by which that knows it: of one Quick, equal numbers above zero are equal
// places. Zero says nothing. It must not be changed.
type KnownPlace struct {
	Place
	Number uint32
}

// set makes r equal to o. Its texts are copies.
func (r *Raw) set(o *Order) {
	n := len(o.ID) + len(o.Shop) + len(o.Shopper) + len(o.Currency)
	for i := range o.Lines {
		n += len(o.Lines[i].Product)
	}
	if cap(r.texts) < n {
		r.texts = make([]byte, 0, n)
	}
	r.texts = r.texts[:0]
	r.ID, r.Shop, r.Shopper, r.Currency = r.copy(o.ID), r.copy(o.Shop), r.copy(o.Shopper), r.copy(o.Currency)
	r.At, r.Amount, r.MassG = o.At, o.Amount, o.MassG
	r.Lines = r.Lines[:0]
	for _, l := range o.Lines {
		r.Lines = append(r.Lines, RawLine{Product: r.copy(l.Product), Units: l.Units, Amount: l.Amount})
	}
	r.from, r.to = KnownPlace{Place: o.From}, KnownPlace{Place: o.To}
	r.From, r.To = &r.from, &r.to
}

// copy appends s to the texts, which have room for it, and returns that part.
func (r *Raw) copy(s string) []byte {
	at := len(r.texts)
	r.texts = append(r.texts, s...)
	return r.texts[at:len(r.texts):len(r.texts)]
}

// Order returns the order by itself, without reference to the record.
func (r *Raw) Order() *Order {
	o := &Order{
		ID: string(r.ID), At: r.At, Shop: string(r.Shop), Shopper: string(r.Shopper), Currency: string(r.Currency),
		Amount: r.Amount, From: r.From.Place, To: r.To.Place, MassG: r.MassG, Lines: make([]Line, 0, len(r.Lines)),
	}
	for _, l := range r.Lines {
		o.Lines = append(o.Lines, Line{Product: string(l.Product), Units: l.Units, Amount: l.Amount})
	}
	return o
}
