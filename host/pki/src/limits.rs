//! Bounds on what comes from outside. What is beyond one is a named defect, or does not parse.

/// Certificates between the one that is judged and an anchor.
pub(crate) const INTERMEDIATES: usize = 10;
/// Candidates for an issuer that are looked at while one certificate is judged.
pub(crate) const CANDIDATES: usize = 512;
/// Signature checks while one certificate is judged, those of lists and answers included.
pub(crate) const SIGNATURES: usize = 128;
/// Whole paths that are validated for one certificate.
pub(crate) const PATHS: usize = 16;
/// Judgements within judgements: who signs a list, and who signs the list about him.
pub(crate) const DEPTH: usize = 4;
/// Certificates, lists and OCSP responses of each kind that one message brings.
pub(crate) const BROUGHT: usize = 256;
/// Requests to the fetcher while one certificate is judged.
pub(crate) const FETCHES: usize = 12;
/// Nodes and edges of the policy graph (RFC 9618).
pub(crate) const POLICY_NODES: usize = 4096;
/// Policies or mappings in one certificate.
pub(crate) const POLICIES: usize = 512;
/// RelativeDistinguishedNames in a name, and attributes in one of them.
pub(crate) const NAME_PARTS: usize = 64;
/// Names in one GeneralNames, subtrees in one extension.
pub(crate) const NAMES: usize = 1024;
/// Comparisons of names with subtrees along one path.
pub(crate) const COMPARISONS: usize = 1 << 18;
/// Extensions of one certificate or list.
pub(crate) const EXTENSIONS: usize = 64;
/// Distribution points in one certificate.
pub(crate) const POINTS: usize = 64;
/// Octets of one list.
pub(crate) const CRL_OCTETS: usize = 64 << 20;
/// Entries of one list.
pub(crate) const CRL_ENTRIES: usize = 2 << 20;
/// Octets of one OCSP response.
pub(crate) const OCSP_OCTETS: usize = 1 << 20;
/// Single answers in one OCSP response.
pub(crate) const OCSP_ANSWERS: usize = 256;
