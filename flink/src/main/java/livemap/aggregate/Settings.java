package livemap.aggregate;

/** What figures depend on: the settings of livemap aggregate that have the same names. Times in milliseconds. */
public record Settings(String currency, long disorder, long lateness, long idle, long totalSince, long earlyInterval,
        long trendInterval, int maxShopperPairs, int maxProductCells) implements java.io.Serializable {
    private static final long HOUR = 3_600_000;
    /** An early metrics record of a scope at most so often, an early trending list so often. */
    public static final long EARLY_INTERVAL = 250;
    public static final long TREND_INTERVAL = 5000;
    /** Distinct (shopper, scope) pairs of a window that are counted exactly; beyond: HyperLogLog. */
    public static final int MAX_SHOPPER_PAIRS = 4_000_000;
    /** (product, scope, minute) counts held at most, about 64 bytes each; units beyond are left out of trending. */
    public static final int MAX_PRODUCT_CELLS = 4_000_000;

    public Settings {
        if (!Currencies.known(currency)) {
            throw new IllegalArgumentException("currency is \"" + currency + "\": is not a currency of ISO 4217 with a minor unit, such as USD");
        }
        check("disorder", disorder, HOUR);
        check("lateness", lateness, HOUR);
        check("idle", idle, Long.MAX_VALUE);
        if (totalSince < 0 || totalSince % 1000 != 0) {
            throw new IllegalArgumentException("total-since: must be a whole second from 1970 on");
        }
    }

    private static void check(String name, long millis, long most) {
        if (millis < 0 || millis > most) {
            throw new IllegalArgumentException(name + " is " + millis + " ms: must be 0" + (most == HOUR ? " to 1h" : " or more"));
        }
    }
}
