package livemap.aggregate;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.HashMap;
import java.util.Map;

/** Turns amounts into one currency, order by order, half to even to the minor unit. For one thread. */
public final class Money {
    /** What {@link #convert} returns where there is no rate, or the result is out of range. */
    public static final long NO_RATE = -1;
    private static final long MAX_CONVERTED = 10_000_000_000_000L;
    private static final int MAX_FACTORS = 4096;

    private final String currency;
    private final Rates rates; // null: only orders in currency
    private final Map<String, BigInteger[]> factors = new HashMap<>(); // exact fractions by currency and day

    public Money(String currency, Rates rates) {
        if (!Currencies.known(currency)) {
            throw new IllegalArgumentException("currency is \"" + currency + "\": is not a currency of ISO 4217 with a minor unit, such as USD");
        }
        if (rates != null && !rates.knows(currency)) {
            throw new IllegalArgumentException("currency is \"" + currency + "\": must be in the rates file");
        }
        this.currency = currency;
        this.rates = rates;
    }

    public long convert(long amount, String from, long at) {
        if (from.equals(currency)) {
            return amount;
        }
        if (rates == null) {
            return NO_RATE;
        }
        long day = Math.floorDiv(at, 86_400_000L);
        if (factors.size() >= MAX_FACTORS) {
            factors.clear();
        }
        BigInteger[] f = factors.computeIfAbsent(from + day, key -> factor(from, day));
        if (f.length == 0) {
            return NO_RATE;
        }
        BigInteger[] divided = BigInteger.valueOf(amount).multiply(f[0]).divideAndRemainder(f[1]);
        BigInteger q = divided[0];
        int half = divided[1].shiftLeft(1).compareTo(f[1]);
        if (half > 0 || half == 0 && q.testBit(0)) {
            q = q.add(BigInteger.ONE);
        }
        return q.bitLength() < 63 && q.longValue() <= MAX_CONVERTED ? q.longValue() : NO_RATE;
    }

    /** Numerator and denominator between minor units; empty where there is no rate. */
    private BigInteger[] factor(String from, long day) {
        BigDecimal source = rates.perEuro(from, day), target = rates.perEuro(currency, day);
        if (source == null || target == null) {
            return new BigInteger[0];
        }
        int power = Currencies.digits(currency) - Currencies.digits(from) - target.scale() + source.scale();
        BigInteger num = target.unscaledValue(), den = source.unscaledValue();
        if (power >= 0) {
            num = num.multiply(BigInteger.TEN.pow(power));
        } else {
            den = den.multiply(BigInteger.TEN.pow(-power));
        }
        return new BigInteger[] {num, den};
    }
}
