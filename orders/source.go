package orders

// Source yields orders. It is implemented by the sources of orders/synthetic
// and orders/journey; only one goroutine may use a source at a time.
type Source interface {
	// Next fills o with the next order and returns the time at which it arrives,
	// which never goes back from one call to the next; o.At may. It overwrites all
	// of o and may reuse the array of o.Lines. At the end it returns io.EOF.
	Next(o *Order) (arrive Time, err error)

	// Products returns the classification of the products that the source sells,
	// each once, in a stable order. Orders may hold others too.
	Products() ([]Product, error)
}

// Product is what the classification says of a product.
type Product struct {
	ID       string
	Title    string // for people
	Category string // empty if it has none
}
