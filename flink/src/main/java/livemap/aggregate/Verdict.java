package livemap.aggregate;

/** What became of an order. Dead orders are found before, where they are decoded. */
public enum Verdict { ACCEPTED, CORRECTED, DUPLICATE, LATE }
