"""What measurements and the audit say of records, as arrays over records and features."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fgclep.errors import UserError
from fgclep.keys import located
from fgclep.language.vocabulary import Vocabulary
from fgclep.measurement.rules import RuleTable
from fgclep.progress import progress
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.measurements import LEAD_MEASURES, MEASUREMENTS, MEASURES
from fgclep.tables import fixed_lists


def measured_verdicts(paths: Sequence[str], vocabulary: Vocabulary, names: pa.Array, verdicts: np.ndarray) -> None:
    """Write the measurement's verdict on every feature into ``verdicts``, int8 of shape (records, features).

    Parameters
    ----------
    paths
        Tables with the schema ``MEASUREMENTS``; rows of records that are not among ``names`` stay as they are.
    names
        Of the records, see ``fgclep.keys.record_names``.
    """
    rules = RuleTable([feature.rule for feature in vocabulary.features.values()])
    for path in progress(paths, len(paths), "measurements"):
        for place, table in located(path, MEASUREMENTS, [*MEASURES, *LEAD_MEASURES], names):
            measures = {name: table[name].to_numpy().astype(np.float64) for name in MEASURES}
            measures |= {name: fixed_lists(table[name], 12, path) for name in LEAD_MEASURES}
            verdicts[place] = rules.verdicts(measures, len(place))


def judged(path: str, vocabulary: Vocabulary, names: pa.Array) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield parts of an audit: places of record and feature, int64, and whether it was accepted, bool, each (rows,).

    Raises
    ------
    UserError
        If the vocabulary has no such feature.
    """
    features = pa.array(list(vocabulary.features))
    for place, table in located(path, AUDIT, ["feature", "accepted"], names):
        number = pc.index_in(table["feature"], value_set=features)
        if number.null_count:
            unknown = table.filter(pc.is_null(number))["feature"][0]
            raise UserError(f"{path}: the feature {unknown} is not in the vocabulary; delete the file and run again")
        yield place, number.to_numpy().astype(np.int64), table["accepted"].to_numpy()
