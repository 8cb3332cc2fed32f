/**
 * The order and its JSON form: what Go's package orders decides, decided alike here. The parity suite
 * (e2e/parity) holds both to the same verdicts. Start at {@link livemap.orders.OrderDecoder}.
 */
package livemap.orders;
