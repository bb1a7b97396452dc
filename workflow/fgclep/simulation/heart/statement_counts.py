"""How often findings are stated, alone and together: statement counts of PTB-XL 1.0.3 (21,799 records).

Tables count records without the statement NORM, 12,285 of 21,799. A statement counts whatever its likelihood. What
PTB-XL has no statement of is the count of phrases in the machine reports of MIMIC-IV-ECG 1.0 (800,035) or of codes in
CSN (45,152 records), converted to 21,799 records and named where it stands.
"""

RECORDS = 21_799
NORMAL = 9_514  # with NORM
ABNORMAL = RECORDS - NORMAL

# beside NORM
NORMAL_RHYTHMS = {"sinus": 8498, "sinus_bradycardia": 353, "sinus_tachycardia": 236, "sinus_arrhythmia": 427}
NORMAL_ECTOPY = {"pac": 128, "pvc": 190}
NORMAL_IRBBB = 250
EARLY_REPOLARIZATION = 215  # MIMIC-IV-ECG: 7,881 reports

# beside old anterior, anteroseptal and anterolateral infarcts
ANTERIOR_INFARCTS, ANEURYSM = 2746, 104

# domain: finding: records, in the order in which the domains are drawn
COUNTS = {
    "rhythm": {
        "afib": 1477, "aflutter": 73, "svt": 41, "sinus_bradycardia": 284, "sinus_tachycardia": 590,
        "sinus_arrhythmia": 345, "av_block_3": 16, "mobitz_1": 7, "mobitz_2": 6,  # 2AVB does not say which
        "ectopic_atrial": 92, "junctional": 29,  # SVARR, as 12,981 and 4,167 reports of MIMIC-IV-ECG
        "ventricular_pacing": 172, "atrial_pacing": 87, "av_pacing": 34,  # PACE, as 15,955, 8,111 and 3,159 reports
        # MIMIC-IV-ECG: 3,901, 1,914 and 186 reports
        "idioventricular": 106, "atrial_tachycardia": 52, "ventricular_tachycardia": 5,
    },
    "conduction": {
        "lbbb": 536, "rbbb": 296, "rbbb+lafb": 162, "rbbb+lpfb": 86, "irbbb": 750, "irbbb+lafb": 118, "ilbbb": 77,
        "lafb": 1322, "lpfb": 84, "ivcd": 681, "wpw": 79,
    },
    # acute ones are those in stadium I
    "infarct": {
        "inferior": 1968, "anteroseptal": 1531, "anterior": 252, "lateral": 196, "anterolateral": 288,
        "inferolateral": 312, "posterior": 17, "inferoposterior": 33, "inferoposterolateral": 51,
        "inferior+anteroseptal": 561, "inferolateral+anteroseptal": 166, "inferior+anterior": 94,
        "inferior_stemi": 52, "anterior_stemi": 106, "lateral_stemi": 5,
    },
    # LVH beside ISC_; LVH without it follows from the voltages of hearts that are drawn without hypertrophy
    "hypertrophy": {"lvh_strain": 1169, "rvh": 126, "septal": 29},
    "repolarization": {
        "inferior_ischemia": 218, "anterior_ischemia": 208, "lateral_ischemia": 935,
        "diffuse_ischemia": 816,  # 103 ISC_ without LVH, and of the 1,169 with it the 61 % that strain does not show
        "injury_anteroseptal": 214, "injury_anterolateral": 145, "injury_inferior": 18, "injury_lateral": 17,
        "injury_inferolateral": 15, "nonspecific_st_t": 736, "nonspecific_t": 1824, "t_inversion": 55,
        "long_qt": 117, "digitalis": 181, "hyperkalemia": 48, "hypokalemia": 47,  # EL does not say which
        "pericarditis": 67, "short_qt": 19,  # MIMIC-IV-ECG: 2,475 and 684 reports
    },
    "ectopy": {
        "pac": 206, "pvc": 863, "bigeminy": 54, "trigeminy": 14, "atrial_bigeminy": 15, "both": 46,
        "couplet": 19, "run": 15, "fusion": 7,  # MIMIC-IV-ECG: 683, 558 and 246 reports
    },
    "voltage": {
        "low": 68, "low_limb": 35,  # LVOLT, 103; as MIMIC-IV-ECG's reports say limb leads or more
        "poor_r": 1062,  # MIMIC-IV-ECG: 38,968 reports
    },
    "axis": {"left": 746, "right": 412},  # CSN: 1,545 and 853 records
    "atria": {"left": 407, "right": 82, "both": 16},
    "pr": {"long": 755},
}  # fmt: skip

# Records with a finding of each of two domains, where they are over 1.3 or below 0.7 times as many as by chance, by
# more than chance itself makes likely (chi-squared above 12). All other pairs are as frequent as their shares say.
TOGETHER = {
    ("rhythm", "conduction"): {"afib": {"lafb": 95, "rbbb+lpfb": 24}},
    ("rhythm", "infarct"): {
        "afib": {"inferior": 143, "anteroseptal": 246, "inferolateral": 14},
        "sinus_tachycardia": {"anterior_stemi": 16},
    },
    ("rhythm", "hypertrophy"): {"afib": {"lvh_strain": 223}},
    ("rhythm", "repolarization"): {
        "afib": {
            "nonspecific_st_t": 216, "digitalis": 115, "long_qt": 0, "lateral_ischemia": 205, "inferior_ischemia": 45,
            "diffuse_ischemia": 170,  # 257 AFIB with ISC_, less those of the 223 beside strain that strain shows
        },
        "svt": {"nonspecific_st_t": 15},
    },
    ("rhythm", "ectopy"): {
        "afib": {"pvc": 195, "pac": 1},
        "sinus_tachycardia": {"pvc": 65},
        "sinus_bradycardia": {"pvc": 3},
        "sinus_arrhythmia": {"pvc": 85},
    },
    ("rhythm", "atria"): {"afib": {"left": 0}, "sinus_tachycardia": {"right": 27, "left": 35}},
    ("rhythm", "pr"): {"afib": {"long": 9}},
    ("conduction", "infarct"): {
        "lafb": {"inferior": 92, "anteroseptal": 302, "anterolateral": 54, "anterior_stemi": 28},
        "irbbb": {"anteroseptal": 53},
        "ivcd": {"inferolateral": 36},
        "rbbb+lafb": {"anteroseptal": 64},
        "lbbb": {"inferior": 1, "anteroseptal": 16, "inferior+anteroseptal": 3},
        "rbbb": {"inferolateral+anteroseptal": 16},
    },
    ("conduction", "hypertrophy"): {
        "lpfb": {"rvh": 18},
        "lafb": {"lvh_strain": 72},
        "irbbb": {"rvh": 47, "lvh_strain": 31},
        "ivcd": {"lvh_strain": 107},
        "rbbb+lafb": {"rvh": 14, "lvh_strain": 0},
        "lbbb": {"lvh_strain": 8},
        "rbbb": {"rvh": 28, "lvh_strain": 1},
        "ilbbb": {"lvh_strain": 22},
    },
    ("conduction", "repolarization"): {
        "lafb": {"nonspecific_t": 85, "nonspecific_st_t": 44},
        "irbbb": {"nonspecific_t": 52, "nonspecific_st_t": 18, "lateral_ischemia": 27},
        "ivcd": {"nonspecific_t": 57},
        "rbbb+lafb": {"nonspecific_t": 0},
        "lbbb": {"nonspecific_t": 0, "nonspecific_st_t": 4, "lateral_ischemia": 1},
        "rbbb": {"nonspecific_t": 0, "lateral_ischemia": 0},
    },
    ("conduction", "ectopy"): {"ivcd": {"pvc": 72}},
    ("conduction", "atria"): {"ivcd": {"left": 42}, "lbbb": {"left": 52}},
    ("conduction", "pr"): {
        "ivcd": {"long": 69}, "rbbb+lafb": {"long": 32}, "lbbb": {"long": 93}, "rbbb+lpfb": {"long": 17},
    },
    ("infarct", "hypertrophy"): {
        "inferolateral": {"lvh_strain": 5}, "anterolateral": {"lvh_strain": 1},
        "inferolateral+anteroseptal": {"lvh_strain": 2},
    },
    ("infarct", "repolarization"): {
        "inferior": {"nonspecific_t": 111, "nonspecific_st_t": 33, "inferior_ischemia": 4},
        "lateral": {"nonspecific_t": 4},
        "anteroseptal": {"nonspecific_t": 19, "nonspecific_st_t": 41, "t_inversion": 23, "injury_anteroseptal": 6},
        "anterior": {"nonspecific_t": 12},
        "inferolateral": {"nonspecific_t": 6, "nonspecific_st_t": 2, "lateral_ischemia": 6},
        "anterolateral": {"nonspecific_t": 1, "nonspecific_st_t": 1, "lateral_ischemia": 4, "t_inversion": 18},
        "inferior+anteroseptal": {"nonspecific_t": 6, "nonspecific_st_t": 12},
        "inferolateral+anteroseptal": {"nonspecific_t": 0},
        "anterior_stemi": {"nonspecific_t": 0},
    },
    ("infarct", "pr"): {
        "inferior": {"long": 78}, "anterolateral": {"long": 37}, "inferolateral+anteroseptal": {"long": 22},
        "anterior_stemi": {"long": 21},
    },
    ("hypertrophy", "repolarization"): {
        "rvh": {"nonspecific_t": 1},
        "lvh_strain": {
            "nonspecific_t": 0, "nonspecific_st_t": 26, "digitalis": 37, "lateral_ischemia": 0, "anterior_ischemia": 1,
            "inferior_ischemia": 0, "diffuse_ischemia": 0,
        },
    },
    ("hypertrophy", "ectopy"): {"lvh_strain": {"pvc": 123}},
    ("hypertrophy", "atria"): {"rvh": {"right": 16}, "lvh_strain": {"left": 62}},
    ("repolarization", "atria"): {"nonspecific_t": {"left": 27}},
    ("repolarization", "pr"): {"nonspecific_t": {"long": 59}, "nonspecific_st_t": {"long": 17}},
    ("atria", "pr"): {"left": {"long": 98}},
}  # fmt: skip
