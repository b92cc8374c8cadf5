import java.io.BufferedReader;
import java.io.FileReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.security.Security;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.bouncycastle.asn1.cms.CMSObjectIdentifiers;
import org.bouncycastle.asn1.cms.ContentInfo;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.CMSAuthEnvelopedData;
import org.bouncycastle.cms.CMSEnvelopedData;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.CMSTypedData;
import org.bouncycastle.cms.KeyAgreeRecipientInformation;
import org.bouncycastle.cms.Recipient;
import org.bouncycastle.cms.RecipientInformation;
import org.bouncycastle.cms.RecipientInformationStore;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JceKeyAgreeEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransAuthEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMKeyPair;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;

/**
 * Reads CMS objects with Bouncy Castle: a line in, a line out ("ok", or why not).
 *
 * <p>Arguments: root certificates (comma-separated PEM files), then pairs of certificate and key.
 * A line: what, CMS file, content file, output file, separated by tabs. Signatures must be valid,
 * and their signer issued by a root or by a certificate in the object that a root issued.
 */
public final class BouncyCastleReader {
  private final List<X509CertificateHolder> roots = new ArrayList<>();
  private final List<X509CertificateHolder> own = new ArrayList<>();
  private final List<PrivateKey> keys = new ArrayList<>();

  public static void main(String[] arguments) throws Exception {
    Security.addProvider(new BouncyCastleProvider());
    BouncyCastleReader reader = new BouncyCastleReader();
    for (String root : arguments[0].split(",")) {
      reader.roots.add((X509CertificateHolder) pem(root));
    }
    for (int i = 1; i + 1 < arguments.length; i += 2) {
      reader.own.add((X509CertificateHolder) pem(arguments[i]));
      reader.keys.add(key(pem(arguments[i + 1])));
    }
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      System.out.println(reader.answer(line.split("\t", -1)));
      System.out.flush();
    }
  }

  private static Object pem(String file) throws Exception {
    try (PEMParser parser = new PEMParser(new FileReader(file))) {
      return parser.readObject();
    }
  }

  private static PrivateKey key(Object read) throws Exception {
    PrivateKeyInfo info =
        read instanceof PEMKeyPair ? ((PEMKeyPair) read).getPrivateKeyInfo() : (PrivateKeyInfo) read;
    return new JcaPEMKeyConverter().setProvider("BC").getPrivateKey(info);
  }

  private String answer(String[] question) {
    try {
      byte[] cms = Files.readAllBytes(Path.of(question[1]));
      if (question[0].equals("decrypt")) {
        Files.write(Path.of(question[3]), decrypt(cms));
      } else if (question[0].equals("detached")) {
        byte[] content = Files.readAllBytes(Path.of(question[2]));
        verify(new CMSSignedData(new CMSProcessableByteArray(content), cms));
      } else {
        CMSSignedData signed = new CMSSignedData(cms);
        verify(signed);
        CMSTypedData content = signed.getSignedContent();
        Files.write(Path.of(question[3]), (byte[]) content.getContent());
      }
      return "ok";
    } catch (Exception | LinkageError error) {
      return (error + "").replaceAll("\\s+", " ");
    }
  }

  @SuppressWarnings("unchecked")
  private void verify(CMSSignedData signed) throws Exception {
    Collection<SignerInformation> signers = signed.getSignerInfos().getSigners();
    if (signers.size() != 1) {
      throw new Exception(signers.size() + " signers");
    }
    for (SignerInformation signer : signers) {
      Collection<X509CertificateHolder> found = signed.getCertificates().getMatches(signer.getSID());
      if (found.isEmpty()) {
        throw new Exception("the signer's certificate is not in the object");
      }
      X509CertificateHolder certificate = found.iterator().next();
      if (!signer.verify(
          new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(certificate))) {
        throw new Exception("the signature does not verify");
      }
      trusted(certificate, signed.getCertificates().getMatches(null), 4);
    }
  }

  private void trusted(
      X509CertificateHolder certificate, Collection<X509CertificateHolder> others, int depth)
      throws Exception {
    for (X509CertificateHolder root : roots) {
      if (issued(root, certificate)) {
        return;
      }
    }
    for (X509CertificateHolder other : others) {
      if (depth > 0 && !other.equals(certificate) && issued(other, certificate)) {
        trusted(other, others, depth - 1);
        return;
      }
    }
    throw new Exception("no trusted issuer of " + certificate.getSubject());
  }

  private static boolean issued(X509CertificateHolder issuer, X509CertificateHolder certificate)
      throws Exception {
    return issuer.getSubject().equals(certificate.getIssuer())
        && certificate.isSignatureValid(
            new JcaContentVerifierProviderBuilder().setProvider("BC").build(issuer));
  }

  private byte[] decrypt(byte[] cms) throws Exception {
    ContentInfo info = ContentInfo.getInstance(cms);
    boolean authenticated = info.getContentType().equals(CMSObjectIdentifiers.authEnvelopedData);
    RecipientInformationStore store =
        authenticated
            ? new CMSAuthEnvelopedData(cms).getRecipientInfos()
            : new CMSEnvelopedData(cms).getRecipientInfos();
    for (int i = 0; i < own.size(); i++) {
      for (RecipientInformation recipient : store.getRecipients()) {
        if (recipient.getRID().match(own.get(i))) {
          return recipient.getContent(opener(recipient, keys.get(i), authenticated));
        }
      }
    }
    throw new Exception("no recipient of ours");
  }

  private static Recipient opener(
      RecipientInformation recipient, PrivateKey key, boolean authenticated) {
    if (recipient instanceof KeyAgreeRecipientInformation) {
      return new JceKeyAgreeEnvelopedRecipient(key).setProvider("BC");
    }
    return authenticated
        ? new JceKeyTransAuthEnvelopedRecipient(key).setProvider("BC")
        : new JceKeyTransEnvelopedRecipient(key).setProvider("BC");
  }
}
