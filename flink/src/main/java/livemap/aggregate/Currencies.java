package livemap.aggregate;

import java.util.HashMap;
import java.util.Map;

/** The currencies of ISO 4217 and the decimals of their minor units: the table of Go's iso4217.go. */
final class Currencies {
    private static final Map<String, Integer> DIGITS = new HashMap<>();

    static {
        String[] byDecimals = {
            "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF", "",
            "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF"
                + " CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD"
                + " GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL"
                + " MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR"
                + " PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP"
                + " TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG",
            "BHD IQD JOD KWD LYD OMR TND", "CLF UYW",
        };
        for (int decimals = 0; decimals < byDecimals.length; decimals++) {
            for (String code : byDecimals[decimals].split(" ")) {
                if (!code.isEmpty()) {
                    DIGITS.put(code, decimals);
                }
            }
        }
    }

    private Currencies() {}

    /** Decimals of a currency's minor unit; two for a code that is not in the table. */
    static int digits(String currency) {
        return DIGITS.getOrDefault(currency, 2);
    }

    static boolean known(String currency) {
        return DIGITS.containsKey(currency);
    }

    static boolean form(String s) {
        return s.length() == 3 && s.chars().allMatch(c -> c >= 'A' && c <= 'Z');
    }
}
