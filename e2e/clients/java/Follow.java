import com.launchdarkly.eventsource.ConnectStrategy;
import com.launchdarkly.eventsource.ErrorStrategy;
import com.launchdarkly.eventsource.EventSource;
import com.launchdarkly.eventsource.MessageEvent;
import java.io.FileInputStream;
import java.net.URI;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import okhttp3.OkHttpClient;

/**
 * Follows a stream with okhttp-eventsource and prints a line for each event: its name, a tab, its data.
 *
 * <p>java -cp 'JARS/*' Follow.java URL CA.pem
 */
final class Follow {
  public static void main(String[] args) throws Exception {
    try (EventSource source =
        new EventSource.Builder(ConnectStrategy.http(URI.create(args[0])).httpClient(trusting(args[1])))
            .errorStrategy(ErrorStrategy.alwaysContinue())
            .retryDelayResetThreshold(1, TimeUnit.SECONDS)
            .build()) {
      for (MessageEvent event : source.messages()) {
        System.out.println(event.getEventName() + "\t" + event.getData());
      }
    }
  }

  private static OkHttpClient trusting(String authority) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null);
    try (FileInputStream in = new FileInputStream(authority)) {
      store.setCertificateEntry("authority", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return new OkHttpClient.Builder()
        .sslSocketFactory(context.getSocketFactory(), (X509TrustManager) trust.getTrustManagers()[0])
        .readTimeout(60, TimeUnit.SECONDS)
        .build();
  }
}
