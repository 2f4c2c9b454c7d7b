"""Checksums of the datasets this package knows.

`FILES` holds the SHA-256 of the published npz files, `CONTENT` the SHA-256 of the canonical arrays
(`Content.sha256`), which is the same whatever file or source they came from.
"""

from __future__ import annotations

FILES = {
    "amazon-computers": "b6f525f5b93228dfb436306aaa9a32c874e4754798faf33b5717e1786e0dffc2",
    "amazon-photo": "0941fb81471f9193a3365d701679ce6e664ce9f739e2449f22d7ec05209054a4",
    "bitcoin-otc": "15c920a4dcfd58839416fb0b843293bce8296a2959b744ccd57512cc807b66cd",
    "citeseer": "92fe45c82516841efaff21371ef4defd4e0e820abf4d72316badf9f775d19943",
    "coauthor-cs": "20766060e97f932e5fec6ca3d0f377b95cdb56cd4e5fc8f082fcd8b22f9e5ce8",
    "collegemsg": "48a8f625475ec2ffb765526a3c83abcfdf96b7ef65f2bf146ce2dbd31c15afe3",
    "cora": "28caf4325976ec69584cd695d555725a2ad3b9bb7c48a679b21078b9eda2dd57",
    "dblp-2010": "a8f03f51e23af8a3a43e95c68473e0f996fad61519b4657693a1e52926a00e55",
    "dblp-temporal-cldg": "4d23008cdbf0458a9d179ace827f0f924bfdec8ec3399db2bb3a79a013d62c03",
    "email-eu-core-temporal": "cbb84b785f9c229948e0464166b3fb50face8066180aa602513a3695c0c2eb5e",
    "pubmed": "a0517602d941800bd541b667dc1260fc8a42fd788faa7215af204daebf9ffdea",
    "sx-mathoverflow": "f94a87db8a9e41343b55fd83ab76ae5b2b4f2da28de2e3a18c8d13c05664e56b",
    "uk-2007-05-100000": "b679066c30f36c8f2efb773539fe8d19483cc9c638878855e35a14d8dfd3a155",
}

CONTENT = {
    "cora": "cdca34c18fb56c6b0f4913069eb4b009ad516e5152ac94b9631749b23dc91626",
    "citeseer": "b33fa36b4a8dbd439d6780561fd6f4001c1097f291cd152f7f77f07fd5d0be01",
    "pubmed": "77b8f4ee0084f8028856937d288f152b334c2b485c1f512e48a86148c8e55ee0",
}

PLANETOID = tuple(CONTENT)
