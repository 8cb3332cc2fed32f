package livemap.orders;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** Numbers as Go prints and rounds them. */
public final class GoNumbers {
    private GoNumbers() {}

    /** Go's %v of a float64: the shortest digits that read back, an exponent below 1e-4 and from 1e21 on. */
    static String shortest(double f) {
        if (f == 0) {
            return 1 / f < 0 ? "-0" : "0";
        }
        BigDecimal d = new BigDecimal(Double.toString(f)).stripTrailingZeros();
        int exponent = d.precision() - d.scale() - 1;
        if (exponent >= -4 && exponent < 21) {
            return d.toPlainString();
        }
        String digits = d.unscaledValue().abs().toString();
        String mantissa = digits.length() == 1 ? digits : digits.charAt(0) + "." + digits.substring(1);
        return (f < 0 ? "-" : "") + mantissa + "e" + (exponent < 0 ? "-" : "+") + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
    }

    /** Four decimals, half to even on the exact binary value. */
    public static String fourDecimals(double f) {
        return new BigDecimal(f).setScale(4, RoundingMode.HALF_EVEN).toPlainString();
    }

    /** Rounds half away from zero. */
    public static double round(double f) {
        double size = Math.abs(f), down = Math.floor(size);
        return Math.copySign(size - down >= 0.5 ? down + 1 : down, f);
    }
}
